// A checkpoint of 100 MB beside writing the same bytes to the same disk, in turn: what carefulness costs.
// In: rounds. Out: a table, rows.

import {
  closeSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randn } from '../src/index.ts';
import { loadCheckpoint, saveCheckpointFile } from '../src/io/index.ts';
import { duration, median, type Row, round, table } from './report.ts';

const BYTES = 100e6;

/** Opens, writes in one piece, fsync, closes. */
function plainWrite(path: string, bytes: Uint8Array): void {
  const file = openSync(path, 'w');
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
  fsyncSync(file);
  closeSync(file);
}
const timed = async (body: () => unknown): Promise<number> => {
  const start = performance.now();
  await body();
  return performance.now() - start;
};

export async function checkpoint(rounds: number): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'tenon-bench-'));
  const [path, plain] = [join(folder, 'checkpoint.safetensors'), join(folder, 'plain')];
  try {
    // Weights and two moments, as Adam keeps them.
    const tensors = Array.from({ length: 24 }, () => randn([Math.round(BYTES / 4 / 24)]).realize());
    const tree = { model: tensors.slice(0, 8), optimizer: tensors.slice(8), step: 1 };
    await saveCheckpointFile(path, tree);
    const bytes = new Uint8Array(readFileSync(path));
    const times: { ours: number[]; plain: number[]; read: number[] } = { ours: [], plain: [], read: [] };
    for (let i = 0; i < Math.max(5, rounds); i++) {
      times.plain.push(await timed(() => plainWrite(plain, bytes)));
      times.ours.push(await timed(() => saveCheckpointFile(path, tree)));
      times.read.push(await timed(() => loadCheckpoint(path)));
    }
    if (statSync(path).size !== bytes.length) throw new Error('the checkpoint has another size');
    const row = (workload: string, ms: readonly number[], peers: Row['peers'] = {}): Row => ({
      workload,
      device: 'cpu',
      threads: 1,
      ms: round(median(ms)),
      gigabytesPerSecond: round(bytes.length / median(ms) / 1e6),
      peers,
    });
    const rows = [
      row('checkpoint-100MB-write', times.ours, { 'write and fsync': round(median(times.plain)) }),
      row('checkpoint-100MB-read', times.read),
    ];
    console.log(
      table(
        ['workload', 'ms', 'write and fsync', 'ratio'],
        rows.map(r => {
          const peer = r.peers['write and fsync'];
          return [
            r.workload,
            duration(r.ms),
            peer === undefined ? '' : duration(peer),
            peer === undefined ? '' : (r.ms / peer).toFixed(2),
          ];
        }),
      ),
    );
    return rows;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
