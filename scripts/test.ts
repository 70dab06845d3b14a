// npm test: checks, sizes, all suites. The last line is `N passed, N failed`, summed over everything; each check counts
// as one. Arguments go to vitest and leave out the checks: `npm test -- test/viz`.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { CHECKS, type Check, root, runCheck } from './checks.ts';

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}
/** What vitest's JSON report says that is needed here. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

const total: Counts = { passed: 0, failed: 0, skipped: 0 };
const filters = process.argv.slice(2);
const temp = mkdtempSync(join(tmpdir(), 'tenon-test-'));

function check(c: Check): void {
  if (runCheck(c)) total.passed++;
  else total.failed++;
}

/** Runs vitest and adds its counts; a run that ends badly without a failed test counts as one failure. */
function suite(name: string, env: Record<string, string>): void {
  const file = join(temp, 'report.json');
  rmSync(file, { force: true });
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const args = [vitest, 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const fine = runCheck({ name, args: [...args, '--passWithNoTests', ...filters], env });
  const report = read(file);
  if (report === null) {
    total.failed++;
    return;
  }
  // A file that cannot be loaded has no tests that could fail.
  const broken = report.testResults.filter(
    f => f.status === 'failed' && f.assertionResults.length === 0,
  ).length;
  const failed = report.numFailedTests + broken;
  total.passed += report.numPassedTests;
  total.failed += fine ? failed : Math.max(1, failed);
  for (const { assertionResults } of report.testResults) {
    for (const t of assertionResults) {
      if (t.status !== 'skipped' && t.status !== 'pending') continue;
      total.skipped++;
      console.log(`skipped: ${t.fullName}`);
    }
  }
}
function read(file: string): Report | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Report;
  } catch {
    return null;
  }
}

/** Real data sets in their official formats, where the folder beside the project has them; nothing is downloaded. */
function realData(): Record<string, string> {
  const prepare = resolve(root, '../shared/data/prepare.mjs');
  if (process.env['TENON_DATA'] !== undefined || !existsSync(prepare)) return {};
  const folder = join(temp, 'data');
  execFileSync(process.execPath, [prepare, folder], { stdio: ['ignore', 'ignore', 'inherit'] });
  return { TENON_DATA: folder };
}

try {
  if (filters.length === 0) {
    for (const c of CHECKS) check(c);
    check({ name: 'size', args: ['scripts/size.ts'] });
  }
  const data = realData();
  suite('tests', data);
  suite('tests that run alone: threads, package, browser', { ...data, TENON_SUITE: 'alone' });
} finally {
  rmSync(temp, { recursive: true, force: true });
}
if (total.skipped > 0) console.log(`${total.skipped} skipped`);
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed === 0 ? 0 : 1);
