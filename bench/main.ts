// npm run bench -- [SUBJECT …] [--json FILE] [--rounds N] [--budget MS]: Tenon beside its peers, in one run.

import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { checkpoint } from './checkpoint.ts';
import { firstCall } from './first-call.ts';
import { growth } from './growth.ts';
import { type Measured, start } from './libraries.ts';
import { memory } from './memory.ts';
import { duration, machine, median, type Row, round, save, table, writeWhole } from './report.ts';
import { transforms } from './transforms.ts';
import { SUBJECTS, type Workload } from './workloads.ts';

/** They start processes of their own; growth alone needs one of those that the workloads share. */
const APART = ['first-call', 'transforms', 'checkpoint', 'memory'];
const ALONE = ['growth', ...APART];
const all = [...Object.keys(SUBJECTS), ...ALONE];
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    budget: { type: 'string', default: '400' },
    help: { type: 'boolean', short: 'h' },
  },
});
const unknown = positionals.filter(s => !all.includes(s));
if (values.help || unknown.length) {
  if (unknown.length) console.error(`bench: no subject ${unknown.join(', ')}`);
  console.error(
    `npm run bench -- [SUBJECT …] [--json FILE] [--rounds N] [--budget MS]\nsubjects: ${all.join(' ')} (default: all)`,
  );
  process.exit(unknown.length ? 2 : 0);
}
const subjects = positionals.length ? positionals : all;
const rounds = Number(values.rounds);
const budget = Number(values.budget);

const host = machine();
console.log(
  `${host.cpu}, ${host.cores} cores, ${host.platform}, Node ${host.node}; median of ${rounds} rounds, libraries in turn`,
);
const cores = availableParallelism();
const threads = [...new Set([1, cores])];
const saved: Record<string, unknown> = {};
const rows: Row[] = [];

if (subjects.includes('first-call')) saved['first-call'] = firstCall();

if (subjects.includes('transforms')) {
  console.log('\ntransforms');
  saved['transforms'] = await transforms(rounds);
  rows.push(...(saved['transforms'] as Row[]));
}
if (subjects.includes('checkpoint')) {
  console.log('\ncheckpoint');
  saved['checkpoint'] = await checkpoint(rounds);
  rows.push(...(saved['checkpoint'] as Row[]));
}
if (subjects.includes('memory')) {
  console.log('\nmemory: growth of the peak since the imports');
  saved['memory'] = await memory(rounds);
}
if (subjects.some(s => !APART.includes(s))) {
  const { tenon, peers, absent } = await start(threads);
  const everyone = [...tenon, ...peers];
  for (const l of everyone) console.log(`  ${l.name.padEnd(10)} ${l.setting}`);
  for (const why of absent) console.log(`  absent: ${why}`);
  saved.settings = everyone.map(({ name, setting, threads, device }) => ({ name, setting, threads, device }));
  for (const subject of subjects) {
    const workloads = SUBJECTS[subject];
    if (workloads === undefined) continue;
    console.log(`\n${subject}`);
    const measured: Row[] = [];
    for (const w of workloads) measured.push(...(await measure(w, tenon, peers)));
    print(measured, peers);
    rows.push(...measured);
    saved[subject] = measured;
  }
  if (subjects.includes('growth')) saved.growth = await growth(tenon.findLast(t => t.device === 'cpu')!);
  for (const l of everyone) l.close();
}
if (values.json !== undefined) writeWhole(values.json, `${JSON.stringify(rows, null, 1)}\n`);
console.log(`\nsaved: ${save(saved)}`);
process.exit(0);

async function measure(
  { workload, spec, flop, bytes, samples: through, tokens }: Workload,
  tenon: readonly Measured[],
  peers: readonly Measured[],
): Promise<Row[]> {
  const times = new Map<Measured, number[]>();
  const failed = new Set<Measured>();
  for (let r = 0; r < rounds; r++) {
    for (const l of [...tenon, ...peers]) {
      if (failed.has(l)) continue;
      const { samples, error } = await l.time({ spec, budget });
      if (error !== undefined) {
        const why = `${l.name}, ${workload}: ${error}`;
        if (tenon.includes(l)) throw new Error(why);
        failed.add(l);
        console.log(`  absent: ${why}`);
      }
      if (samples !== undefined) times.set(l, [...(times.get(l) ?? []), median(samples)]);
    }
  }
  process.stderr.write(`  ${workload}\n`);
  const ms = (l: Measured) => round(median(times.get(l)!));
  return tenon.map(t => {
    // A peer that cannot choose its threads stands beside both of ours.
    const beside = peers.filter(p => times.has(p) && (p.name !== 'pytorch' || p.threads === t.threads));
    return {
      workload,
      device: t.device!,
      threads: t.threads,
      ms: ms(t),
      ...(flop === undefined ? {} : { gflops: round(flop / ms(t) / 1e6) }),
      ...(bytes === undefined ? {} : { gigabytesPerSecond: round(bytes / ms(t) / 1e6) }),
      ...(through === undefined ? {} : { samplesPerSecond: round((through / ms(t)) * 1e3) }),
      ...(tokens === undefined ? {} : { tokensPerSecond: round((tokens / ms(t)) * 1e3) }),
      peers: Object.fromEntries(beside.map(p => [p.name, ms(p)])),
    };
  });
}

function rate({ gflops, gigabytesPerSecond, samplesPerSecond, tokensPerSecond }: Row): string {
  if (gflops !== undefined) return `${gflops.toFixed(1)} GFLOP/s`;
  if (gigabytesPerSecond !== undefined) return `${gigabytesPerSecond.toFixed(1)} GB/s`;
  if (tokensPerSecond !== undefined) return `${tokensPerSecond.toFixed(0)} tokens/s`;
  return samplesPerSecond === undefined ? '' : `${(samplesPerSecond / 1000).toFixed(0)}k samples/s`;
}

function print(measured: readonly Row[], peers: readonly Measured[]): void {
  const names = [...new Set(peers.map(p => p.name))];
  const beside = (r: Row, name: string) => {
    const ms = r.peers[name];
    return ms === undefined ? '' : `${duration(ms)} (${(ms / r.ms).toPrecision(2)}x)`;
  };
  console.log(
    table(
      ['workload', 'device', 'threads', 'tenon', 'rate', ...names.map(n => `${n} (ratio)`)],
      measured.map(r => [
        r.workload,
        r.device,
        String(r.threads),
        duration(r.ms),
        rate(r),
        ...names.map(n => beside(r, n)),
      ]),
    ),
  );
}
