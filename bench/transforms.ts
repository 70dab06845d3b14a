// Pictures a second through the pipelines of training, beside torchvision on the same files with as many processes.
// In: rounds. Out: a table, rows.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DataLoader, type Dataset, datasetFrom } from '../src/data/index.ts';
import type { Tensor } from '../src/index.ts';
import { encodeImage, Image } from '../src/vision/index.ts';
import { duration, median, type Row, round, table } from './report.ts';

const IMAGES = 50_000;
const PHOTOS = 256;
const module = new URL('./transform-sets.ts', import.meta.url);

/** Photographs of 500 × 375: soft shapes with some grain, about 60 kB each. */
async function makePhotos(folder: string): Promise<void> {
  const [height, width] = [375, 500];
  let state = 7;
  for (let n = 0; n < PHOTOS; n++) {
    const data = new Uint8Array(height * width * 3);
    for (let y = 0, p = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        for (let c = 0; c < 3; c++, p++) {
          state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
          const wave = Math.sin((x * (1 + (n % 7))) / 60 + c) + Math.cos((y * (1 + (n % 5))) / 45 - c);
          data[p] = 128 + 45 * wave + (state >>> 28);
        }
    const place = join(folder, `class${n % 2}`);
    mkdirSync(place, { recursive: true });
    const jpeg = await encodeImage(new Image(data, height, width, 3), { format: 'jpeg', quality: 90 });
    writeFileSync(join(place, `${n}.jpg`), jpeg);
  }
}

/** Milliseconds of each epoch, the first one left out. */
async function epochs(name: string, args: unknown[], workers: number, rounds: number): Promise<number> {
  const dataset = await datasetFrom<Dataset<[Tensor, bigint]>>(module, name, args);
  const batchSize = name === 'photos' ? 32 : 128;
  const loader = new DataLoader(dataset, { batchSize, shuffle: true, numWorkers: workers });
  const times: number[] = [];
  for (let r = 0; r <= rounds; r++) {
    const start = performance.now();
    let seen = 0;
    for await (const [x] of loader) seen += x.shape[0]!;
    if (seen !== dataset.length) throw new Error(`${seen} of ${dataset.length} pictures came`);
    if (r > 0) times.push(performance.now() - start);
  }
  loader.close();
  return median(times);
}

interface Peer {
  readonly error?: string;
  readonly ms?: Readonly<Record<string, number>>;
}
function torchvision(folder: string, workers: number): Peer {
  const script = fileURLToPath(new URL('./peers/torchvision.py', import.meta.url));
  const python = process.env['PYTHON'] ?? '/usr/bin/python3';
  const run = spawnSync(python, [script, folder, String(IMAGES), String(workers)], { encoding: 'utf8' });
  if (run.status !== 0) return { error: run.stderr?.trim().split('\n').at(-1) ?? String(run.error) };
  return { ms: JSON.parse(run.stdout) as Record<string, number> };
}

export async function transforms(rounds: number): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'tenon-photos-'));
  try {
    await makePhotos(folder);
    const work = [
      ['cifar', 'transforms-cifar-crop-flip-normalize', IMAGES, [IMAGES]],
      ['photos', 'transforms-photos-500x375-random-resized-crop-224', PHOTOS, [folder]],
    ] as const;
    const rows: Row[] = [];
    for (const threads of [1, 2]) {
      // Without workers pictures are transformed in the program's own thread.
      const peer = torchvision(folder, threads === 1 ? 0 : 2);
      if (peer.error !== undefined) console.log(`  absent: torchvision: ${peer.error}`);
      for (const [name, workload, count, args] of work) {
        const ms = await epochs(name, [...args], threads === 1 ? 0 : 2, rounds);
        const beside = peer.ms?.[name];
        rows.push({
          workload,
          device: 'cpu',
          threads,
          ms: round(ms),
          samplesPerSecond: round((count / ms) * 1e3),
          peers: beside === undefined ? {} : { torchvision: round(beside) },
        });
      }
    }
    print(rows);
    return rows;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
function print(rows: readonly Row[]): void {
  console.log(
    table(
      ['workload', 'workers', 'epoch', 'pictures/s', 'torchvision (ratio)'],
      rows.map(r => [
        r.workload,
        r.threads === 1 ? 'none' : String(r.threads),
        duration(r.ms),
        Math.round(r.samplesPerSecond!).toLocaleString('en'),
        r.peers['torchvision'] === undefined
          ? ''
          : `${duration(r.peers['torchvision'])} (${(r.peers['torchvision'] / r.ms).toPrecision(2)}x)`,
      ]),
    ),
  );
}
