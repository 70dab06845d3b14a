// The folder of a run: what was asked for, a log, checkpoints, results. In: a folder and a recipe's trainings. Out: files
// that another process can read while the run goes on, and from which it goes on after any end.
//
//     runs/NAME/config.json          recipe, seed, settings, versions: what a resumed run must agree with
//     runs/NAME/log.jsonl            one line per event of every training
//     runs/NAME/events.out.tfevents  the same for TensorBoard
//     runs/NAME/checkpoints/MODEL/   the last states of each training
//     runs/NAME/weights.safetensors  the trained model
//     runs/NAME/result.json, history.json, *.svg, *.png, report.html

import { appendFile, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  latestCheckpoint,
  loadCheckpoint,
  safetensorsChunks,
  saveCheckpoint,
  writeFileAtomic,
} from '../io/index.ts';
import type { Module } from '../nn/index.ts';
import {
  type FitResult,
  fit,
  type History,
  jsonLog,
  type TrainEvent,
  type TrainingState,
  tensorBoard,
} from '../train/index.ts';
import { UsageError } from './command.ts';
import type { RunFit } from './recipes/recipe.ts';

/** What decides about a run; a resumed one must ask for the same. */
export interface RunConfig {
  readonly recipe: string;
  readonly seed: number;
  readonly device: string;
  readonly settings: Readonly<Record<string, unknown>>;
}
/** Milliseconds between checkpoints within an epoch: often enough to lose little, seldom enough to cost nothing. */
const CHECKPOINT_MS = 5_000;

export class RunFolder {
  readonly path: string;
  readonly histories: Record<string, History> = {};
  constructor(path: string) {
    this.path = path;
  }
  file(...names: string[]): string {
    return join(this.path, ...names);
  }

  /** Begins anew, or goes on where the folder holds the same run. */
  async open(config: RunConfig, resume: boolean): Promise<void> {
    await mkdir(this.path, { recursive: true });
    const text = `${JSON.stringify(config, null, 2)}\n`;
    const before = await readFile(this.file('config.json'), 'utf8').catch(() => null);
    if (resume && before !== null) {
      if (before !== text)
        throw new UsageError(`${this.path}: ${difference(before, config)}; without --resume it starts anew`);
      return;
    }
    for (const name of [
      'checkpoints',
      'log.jsonl',
      'events.out.tfevents',
      'result.json',
      'weights.safetensors',
    ])
      await rm(this.file(name), { recursive: true, force: true });
    await writeFileAtomic(this.file('config.json'), text);
  }

  /** Keeps the weights of the trained model. */
  async saveWeights(
    model: Module,
    config: RunConfig,
    more: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const file = this.file('weights.safetensors');
    const metadata = {
      ...more,
      recipe: config.recipe,
      seed: String(config.seed),
      settings: JSON.stringify(config.settings),
    };
    await writeFileAtomic(file, safetensorsChunks(model.stateDict(), metadata));
    return file;
  }

  /** One training of the run, under a name. */
  async fit<B>(
    name: string,
    model: Module,
    options: RunFit<B>,
    events: { readonly signal?: AbortSignal; readonly onEvent: (e: TrainEvent) => void },
  ): Promise<FitResult> {
    const folder = this.file('checkpoints', name);
    const found = await latestCheckpoint(folder);
    const resume = found === null ? null : ((await loadCheckpoint(found)) as unknown as TrainingState);
    const log = jsonLog(line =>
      appendFile(this.file('log.jsonl'), line.replace('{', `{"training":"${name}",`)),
    );
    const board = tensorBoard(bytes => appendFile(this.file('events.out.tfevents'), bytes));
    let saved = performance.now();
    const result = await fit(model, {
      ...options,
      // Callbacks of the recipe come first: their states are found by place.
      callbacks: [...(options.callbacks ?? []), log, board],
      ...events,
      checkpoint: {
        due: () => performance.now() - saved > CHECKPOINT_MS,
        save: async state => {
          const file = await saveCheckpoint(folder, state.step, state, { keep: 2 });
          saved = performance.now();
          return file;
        },
      },
      ...(resume === null ? {} : { resume }),
    });
    this.histories[name] = result.history;
    return result;
  }
}

function difference(before: string, now: RunConfig): string {
  const was = JSON.parse(before) as RunConfig;
  const flat = (c: RunConfig): Record<string, unknown> => ({ ...c, ...c.settings, settings: undefined });
  const [a, b] = [flat(was), flat(now)];
  const names = Object.keys({ ...a, ...b }).filter(k => JSON.stringify(a[k]) !== JSON.stringify(b[k]));
  return `the run in this folder was made with ${names.map(k => `${k}=${show(a[k])}`).join(', ')}, this one has ${names.map(k => `${k}=${show(b[k])}`).join(', ')}`;
}
const show = (v: unknown): string =>
  v === undefined ? 'none' : typeof v === 'string' ? v : JSON.stringify(v);
