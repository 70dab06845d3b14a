// A folder of golden cases: runs them all, prints a table by group, the failures, the reasons of skips and the total.

import { dirname, join } from 'node:path';
import { Missing } from './check.ts';
import { type Case, findManifests, readManifest, readTensors, type Stored } from './format.ts';
import { KINDS } from './kinds.ts';

export type Outcome =
  | { readonly kind: 'passed' }
  | { readonly kind: 'failed'; readonly why: string }
  | { readonly kind: 'skipped'; readonly why: string };

/** `dir`: the folder of the manifest, for cases about files. */
export async function runCase(c: Case, stored: ReadonlyMap<string, Stored>, dir: string): Promise<Outcome> {
  try {
    const run = KINDS[c.kind];
    if (run === undefined) throw new Missing(`cases of kind ${c.kind} are not known`);
    await run(c, stored, dir);
    return { kind: 'passed' };
  } catch (e) {
    const why = e instanceof Error ? e.message : String(e);
    return e instanceof Missing ? { kind: 'skipped', why } : { kind: 'failed', why };
  }
}

interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

/** Runs the manifests under `dir` (of the named groups, or all); true where nothing failed. */
export async function runGolden(
  dir: string,
  groups: readonly string[],
  print: (line: string) => void,
): Promise<boolean> {
  const files = findManifests(dir);
  if (files.length === 0) {
    print(`conformance: ${dir} must be a folder with golden manifests (*.json), got none`);
    return false;
  }
  const table = new Map<string, Tally>();
  const failures: string[] = [];
  const reasons = new Map<string, string[]>();
  for (const file of files) {
    const manifest = readManifest(file);
    if (groups.length > 0 && !groups.includes(manifest.group)) continue;
    const stored = manifest.file === null ? new Map() : readTensors(join(dirname(file), manifest.file));
    const tally = table.get(manifest.group) ?? { passed: 0, failed: 0, skipped: 0 };
    table.set(manifest.group, tally);
    for (const c of manifest.cases) {
      const outcome = await runCase(c, stored, dirname(file));
      tally[outcome.kind]++;
      if (outcome.kind === 'failed') failures.push(`FAILED ${c.id} (${c.op}): ${outcome.why}`);
      if (outcome.kind === 'skipped') reasons.set(outcome.why, [...(reasons.get(outcome.why) ?? []), c.id]);
    }
  }
  for (const line of failures) print(line);
  for (const [why, ids] of reasons) print(`skipped ${ids.length}: ${why} (${summary(ids)})`);
  const total = printTable(table, print);
  return total.failed === 0;
}
const summary = (ids: readonly string[]): string =>
  ids.length <= 3 ? ids.join(', ') : `${ids.slice(0, 3).join(', ')}, …`;

function printTable(table: ReadonlyMap<string, Tally>, print: (line: string) => void): Tally {
  const total: Tally = { passed: 0, failed: 0, skipped: 0 };
  const width = Math.max(5, ...[...table.keys()].map(g => g.length));
  const row = (name: string, cells: readonly (number | string)[]): void =>
    print(`${name.padEnd(width)}  ${cells.map(c => String(c).padStart(7)).join('  ')}`);
  row('group', ['passed', 'failed', 'skipped']);
  for (const [group, t] of table) {
    row(group, [t.passed, t.failed, t.skipped]);
    total.passed += t.passed;
    total.failed += t.failed;
    total.skipped += t.skipped;
  }
  print(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  return total;
}
