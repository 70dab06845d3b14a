// A recipe: one experiment that can be run by its name, with what it must reach.
// In: a seed and settings. Out: numbers, sentences and pictures. Not its job: files, terminals.

import type { Module } from '../../nn/index.ts';
import type { FitOptions, FitResult } from '../../train/index.ts';
import type { Language, Words } from '../language.ts';

/** A value that a user may set: how it is written, and what it is when he does not. */
export interface Setting<T> {
  readonly initial: T;
  /** What is allowed, in words. */
  readonly form: string;
  /** undefined where the text is not allowed. */
  readonly read: (text: string) => T | undefined;
}
function number(initial: number, form: string, allowed: (v: number) => boolean): Setting<number> {
  const read = (text: string): number | undefined => {
    const v = Number(text);
    return text.trim() !== '' && Number.isFinite(v) && allowed(v) ? v : undefined;
  };
  return { initial, form, read };
}
/** A whole number from 1 up. */
export const count = (initial: number): Setting<number> =>
  number(initial, 'integer >= 1', v => Number.isInteger(v) && v >= 1);
/** A number above 0. */
export const positive = (initial: number): Setting<number> => number(initial, 'number > 0', v => v > 0);
/** A number from 0 up. */
export const notNegative = (initial: number): Setting<number> => number(initial, 'number >= 0', v => v >= 0);
/** One of a few words. */
export const oneOf = <T extends string>(initial: T, words: readonly T[]): Setting<T> => ({
  initial,
  form: words.join(' | '),
  read: text => words.find(w => w === text),
});
/** Two numbers with a comma between them. */
export const pair = (initial: readonly [number, number]): Setting<readonly [number, number]> => ({
  initial,
  form: 'number,number',
  read: text => {
    const parts = text.split(',').map(s => (s.trim() === '' ? Number.NaN : Number(s)));
    return parts.length === 2 && parts.every(Number.isFinite) ? [parts[0]!, parts[1]!] : undefined;
  },
});

type Settings = Readonly<Record<string, Setting<unknown>>>;
type ValuesOf<S extends Settings> = { readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never };

/** Numbers that a run ends with; trainLoss, trainAccuracy, valLoss, testLoss and testAccuracy are called so everywhere. */
export type Metrics = Record<string, number>;
/** Told after each epoch: how far, and what to show beside the bar. */
export type Progress = (done: number, total: number, metrics: Metrics) => void;

export interface Run<S extends Settings = Settings> {
  readonly settings: ValuesOf<S>;
  readonly language: Language;
  readonly progress: Progress;
  /**
   * Trains a model under a name, as `fit` of tenon/train does, with progress bar, log and checkpoints. Where the run is
   * resumed, a training that was stopped goes on and a finished one is put back at once.
   */
  readonly fit: <B>(name: string, model: Module, options: RunFit<B>) => Promise<FitResult>;
}
/** What the run itself takes care of is left out. */
export type RunFit<B> = Omit<FitOptions<B>, 'signal' | 'checkpoint' | 'resume' | 'onEvent'>;
/** A recipe with a model that can be used afterwards: evaluated again, asked for single inputs. */
export interface Trained<S extends Settings = Settings> {
  build(settings: ValuesOf<S>): Module;
  /** Metrics on the test set, by the names of `train`. */
  evaluate(model: Module, run: Pick<Run<S>, 'settings' | 'language'>): Promise<Metrics>;
  /** What the model says to inputs of the command line. */
  predict?(
    model: Module,
    inputs: readonly string[],
    run: Pick<Run<S>, 'settings' | 'language'>,
  ): Promise<readonly (readonly [string, string])[]>;
}
export interface Result {
  readonly metrics: Metrics;
  /** What the run found, as label and value. */
  readonly facts: readonly (readonly [Words, string])[];
  /** SVG texts by file name without extension; drawn when asked for. */
  readonly pictures: () => Promise<Readonly<Record<string, string>>>;
  /** The trained model, whose weights are kept. */
  readonly model?: Module;
}
export interface Recipe {
  readonly name: string;
  readonly about: Words;
  /** What it must reach. */
  readonly goal: Words;
  /** `epochs` is always among them. */
  readonly settings: Settings;
  readonly train: (run: Run) => Promise<Result>;
  readonly trained?: Trained;
}

/** Checks that a recipe reads only settings that it has. */
export function defineRecipe<S extends Settings & { readonly epochs: Setting<number> }>(
  recipe: Omit<Recipe, 'settings' | 'train' | 'trained'> & {
    readonly settings: S;
    train(run: Run<S>): Promise<Result>;
    readonly trained?: Trained<S>;
  },
): Recipe {
  return recipe as unknown as Recipe;
}

/** 98.25 % */
export const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
/** A number with `digits` decimals, without the minus of a rounded zero. */
export const fixed = (v: number, digits: number): string => v.toFixed(digits).replace(/^-(0(\.0*)?)$/, '$1');
