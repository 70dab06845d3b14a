// A recipe: one experiment that can be run by its name, with what it must reach.
// In: a seed and settings. Out: numbers, sentences and pictures. Not its job: files, terminals.

import type { Module } from '../../nn/index.ts';
import type { NextLogits, Tokenizer } from '../../text/index.ts';
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
/** Any text. */
export const words = (initial: string, form: string): Setting<string> => ({
  initial,
  form,
  read: text => text,
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
/** Texts by name that a file of weights carries. */
export type Metadata = Readonly<Record<string, string>>;
/** A model that writes: how texts become tokens, and the scores of the next one. */
export interface Writer {
  readonly tokenizer: Tokenizer;
  /** The context that an empty prompt begins with. */
  readonly start: readonly number[];
  /** A token that ends a text. */
  readonly stop?: number;
  /** Tokens that are not written: the one for unknown characters. */
  readonly suppress?: readonly number[];
  readonly next: NextLogits;
}
/** What a trained model is used with. */
export type Use<S extends Settings = Settings> = Pick<Run<S>, 'settings' | 'language'> & {
  readonly metadata: Metadata;
};
/** A recipe with a model that can be used afterwards: evaluated again, asked for single inputs. */
export interface Trained<S extends Settings = Settings> {
  build(settings: ValuesOf<S>, metadata: Metadata): Module;
  /** Metrics on the test set, by the names of `train`. */
  evaluate(model: Module, run: Use<S>): Promise<Metrics>;
  /** What the model says to inputs of the command line. */
  predict?(
    model: Module,
    inputs: readonly string[],
    run: Use<S>,
  ): Promise<readonly (readonly [string, string])[]>;
  /** Pictures of what the model has learnt and does with inputs of the command line: SVG texts by file name. */
  see?(model: Module, inputs: readonly string[], run: Use<S>): Promise<Readonly<Record<string, string>>>;
  /** The model as one that writes: for `tenon generate`. */
  writer?(model: Module, run: Use<S>): Writer;
}
export interface Result {
  readonly metrics: Metrics;
  /** What the run found, as label and value. */
  readonly facts: readonly (readonly [Words, string])[];
  /** SVG texts by file name without extension; drawn when asked for. */
  readonly pictures: () => Promise<Readonly<Record<string, string>>>;
  /** The trained model, whose weights are kept. */
  readonly model?: Module;
  /** What is kept with the weights, such as a vocabulary: the model cannot be built without it. */
  readonly metadata?: Metadata;
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
/** The middle one, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
