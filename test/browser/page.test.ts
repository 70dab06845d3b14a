// A page without a bundler imports dist/tenon.js in a real browser: cross-origin isolated, where threads work, and not,
// where one line says so and one thread does the work.

import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { stripTypeScriptTypes } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as tenon from '../../src/index.ts';
import { losses } from './training.ts';

const root = resolve(import.meta.dirname, '../..');
const BROWSER = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
const there = existsSync(BROWSER);

/** The first block of the README in a language. */
const readme = (language: string): string =>
  new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(
    readFileSync(join(root, 'README.md'), 'utf8'),
  )![1]!;
const FILES: Record<string, readonly [text: () => string, type: string]> = {
  '/': [() => readFileSync(join(import.meta.dirname, 'page.html'), 'utf8'), 'text/html'],
  '/readme': [() => readme('html'), 'text/html'],
  '/tenon.js': [() => readFileSync(join(root, 'dist/tenon.js'), 'utf8'), 'text/javascript'],
  '/training.js': [
    () => stripTypeScriptTypes(readFileSync(join(import.meta.dirname, 'training.ts'), 'utf8')),
    'text/javascript',
  ],
};
/** What makes a page cross-origin isolated, so that it may share memory with workers. */
const ISOLATED = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

function serve(headers: Record<string, string>): Promise<Server> {
  const server = createServer((request, response) => {
    const found = FILES[new URL(request.url!, 'http://localhost').pathname];
    if (found === undefined) return void response.writeHead(404).end();
    response.writeHead(200, { 'Content-Type': found[1], ...headers }).end(found[0]());
  });
  return new Promise(done => server.listen(0, '127.0.0.1', () => done(server)));
}

interface PageResult {
  readonly error?: string;
  readonly square: number[][];
  readonly early: number;
  readonly late: number;
  readonly exact: number;
  readonly losses: number[];
  readonly ready: number;
  readonly threads: number;
}
let browser: Browser;
async function visit(headers: Record<string, string>): Promise<{ result: PageResult; console: string[] }> {
  const server = await serve(headers);
  const page = await browser.newPage();
  const lines: string[] = [];
  page.on('console', m => lines.push(`${m.type()}: ${m.text()}`));
  page.on('pageerror', e => lines.push(`error: ${e.message}`));
  try {
    // Two threads whatever the machine has; a page's flags stand in its address.
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/?TENON_THREADS=2`);
    await page.waitForFunction('window.result !== undefined', null, { timeout: 30_000 });
    const result = (await page.evaluate('window.result')) as PageResult;
    expect(result.error).toBeUndefined();
    // The icon that nobody made is not the page's mistake.
    return { result, console: lines.filter(l => !l.includes('404')) };
  } finally {
    await page.close();
    server.close();
  }
}

describe.skipIf(!there)(`in Chromium (needs ${BROWSER}, ${there ? 'there' : 'missing'})`, () => {
  beforeAll(async () => {
    const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'];
    const quiet = ['--disable-background-networking', '--disable-component-update', '--disable-sync'];
    browser = await chromium.launch({ executablePath: BROWSER, args: [...args, ...quiet] });
  });
  afterAll(() => browser?.close());

  async function checkNumbers(result: PageResult): Promise<void> {
    expect(result.square).toEqual([
      [7, 10],
      [15, 22],
    ]);
    // Split the same way by any number of threads: the same bits.
    expect(result.late).toBe(result.early);
    expect(Math.abs(result.late / result.exact - 1)).toBeLessThan(1e-5);
    const here = await losses(tenon);
    expect(here.at(-1)).toBeLessThan(0.9 * here[0]!);
    for (const [i, loss] of result.losses.entries()) expect(Math.abs(loss - here[i]!)).toBeLessThan(1e-3);
  }
  it('cross-origin isolated: threads work, nothing is said', async () => {
    const { result, console } = await visit(ISOLATED);
    expect([result.threads, result.ready]).toEqual([2, 1]);
    expect(console).toEqual([]);
    await checkNumbers(result);
  });
  it('the page of the README shows its product', async () => {
    expect(readme('text').trim().split('\n')).toEqual(
      Object.entries(ISOLATED).map(([name, value]) => `${name}: ${value}`),
    );
    const server = await serve(ISOLATED);
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/readme`);
    await page.waitForFunction('document.getElementById("out").textContent !== ""', null, {
      timeout: 30_000,
    });
    expect(await page.textContent('#out')).toBe('[[7,10],[15,22]]');
    await page.close();
    server.close();
  });
  it('not isolated: one thread, one line that tells why', async () => {
    const { result, console } = await visit({});
    expect([result.threads, result.ready]).toEqual([1, 0]);
    expect(console.length).toBe(1);
    expect(console[0]).toMatch(
      /^warning: tenon: .*not cross-origin isolated.*COOP and COEP.*running on one$/,
    );
    await checkNumbers(result);
  });
});
