// Who may import whom: the table of the folders, one direction only, and no cycles between files.
// Prints what breaks the rules and ends with 1.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const src = join(root, 'src');

/** Folder to the folders that it may import values from. */
const MAY: Record<string, readonly string[]> = {
  base: [],
  ir: ['base'],
  autograd: ['base', 'ir'],
  schedule: ['base', 'ir'],
  codegen: ['base', 'ir', 'schedule'],
  kernels: ['base', 'ir', 'codegen', 'schedule'],
  runtime: ['base', 'ir', 'schedule', 'codegen', 'kernels'],
  tensor: ['base', 'ir', 'autograd', 'schedule', 'kernels', 'runtime'],
  linalg: ['base', 'ir', 'tensor'],
  nn: ['base', 'ir', 'tensor', 'linalg'],
  optim: ['base', 'ir', 'tensor'],
  data: ['base', 'tensor', 'platform.ts'],
  io: ['base', 'tensor'],
  vision: ['base', 'tensor', 'nn', 'data', 'io', 'platform.ts'],
  text: ['base', 'tensor', 'linalg', 'nn', 'data', 'io', 'platform.ts'],
  onnx: ['base', 'tensor', 'nn', 'io'],
  train: ['base', 'tensor', 'nn', 'optim', 'data', 'io'],
  classic: ['index.ts'],
  viz: ['base'],
  cli: ['index.ts', 'viz', 'train', 'data', 'nn', 'optim', 'io', 'vision', 'text', 'classic'],
};
/** Type imports that go against the direction, and why they may. */
const TYPES: Record<string, readonly string[]> = {
  kernels: ['runtime'],
  tensor: ['linalg'],
  viz: ['ir', 'schedule'],
};
/** Folders in which no op is called by its name. */
const NAMELESS = ['autograd', 'schedule', 'codegen'];

function files(dir: string): string[] {
  return readdirSync(dir).flatMap(f => {
    const p = join(dir, f);
    return statSync(p).isDirectory() ? files(p) : p.endsWith('.ts') ? [p] : [];
  });
}
const folderOf = (p: string): string => relative(src, p).split('/')[0]!;

const problems: string[] = [];
const graph = new Map<string, string[]>();
const importLine = /^\s*(?:import|export)\s+(type\s+)?(?:[^'";]*?\s+from\s+)?'(\.[^']+)'/gm;

const opNames = new Set<string>();
for (const f of files(join(src, 'ir/ops'))) {
  for (const m of readFileSync(f, 'utf8').matchAll(/name: '([a-zA-Z0-9]+)'/g)) opNames.add(m[1]!);
}
for (const f of files(src)) {
  const text = readFileSync(f, 'utf8');
  const from = folderOf(f);
  const edges: string[] = [];
  for (const m of text.matchAll(importLine)) {
    const to = resolve(dirname(f), m[2]!);
    const typeOnly = m[1] !== undefined;
    if (!typeOnly) edges.push(to);
    const target = folderOf(to);
    if (target === from || from.endsWith('.ts')) continue;
    const allowed = MAY[from]?.includes(target) || (typeOnly && TYPES[from]?.includes(target));
    if (!allowed)
      problems.push(`${relative(root, f)} imports ${relative(root, to)}: ${from} may not import ${target}`);
  }
  graph.set(f, edges);
  if (NAMELESS.includes(from)) {
    for (const m of text.matchAll(/\.name\s*[!=]==\s*'([a-zA-Z0-9]+)'/g)) {
      if (opNames.has(m[1]!))
        problems.push(`${relative(root, f)} branches on the op name '${m[1]}': ask a property of its record`);
    }
  }
}

// Cycles, by depth-first search over value imports.
const state = new Map<string, 1 | 2>();
const path: string[] = [];
function visit(f: string): void {
  state.set(f, 1);
  path.push(f);
  for (const to of graph.get(f) ?? []) {
    if (state.get(to) === 1) {
      const loop = [...path.slice(path.indexOf(to)), to].map(p => relative(root, p));
      problems.push(`cycle: ${loop.join(' -> ')}`);
    } else if (state.get(to) === undefined && graph.has(to)) visit(to);
  }
  path.pop();
  state.set(f, 2);
}
for (const f of graph.keys()) if (state.get(f) === undefined) visit(f);

for (const p of problems) console.error(p);
console.log(`imports: ${graph.size} files, ${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
