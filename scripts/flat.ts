// npm run flat -- [--compiled N] [--uncompiled N]: memory over many steps without a dispose in the code. Prints memory() and
// RSS of each tenth; ends with 1 where memory() is not exactly flat after the first tenth, or where the RSS of the last tenth
// is not within 5 % of that of the second.

import { parseArgs } from 'node:util';
import {
  compile,
  F,
  manualSeed,
  memory,
  randint,
  randn,
  SGD,
  type Tensor,
  tensor,
  zeros,
} from '../src/index.ts';

const TENTHS = 10;
export interface Series {
  /** memory() of the default device at the end of each tenth, as JSON. */
  readonly memory: string[];
  /** Mean resident bytes of each tenth. */
  readonly rss: number[];
}

/** A 2-32-16-2 network with dropout on fresh batches; the loss of every step is read. */
function makeStep(compiled: boolean): () => number {
  manualSeed(0);
  const sizes = [2, 32, 16, 2];
  const layers = sizes.slice(1).map((out, i) => ({
    w: randn([out, sizes[i]!])
      .mul(Math.sqrt(2 / sizes[i]!))
      .realize()
      .requiresGrad_(),
    b: zeros([out], { requiresGrad: true }),
  }));
  const optimizer = new SGD(
    layers.flatMap(({ w, b }) => [w, b]),
    { lr: 0.01, momentum: 0.9 },
  );
  const step = (x: Tensor, y: Tensor): Tensor => {
    optimizer.zeroGrad();
    let h = x; // (m, 2)
    for (const [i, { w, b }] of layers.entries()) {
      h = F.linear(h, w, b); // (m, out)
      if (i < layers.length - 1) h = F.dropout(h.relu(), { p: 0.1 });
    }
    const loss = F.crossEntropy(h, y);
    loss.backward();
    optimizer.step();
    return loss;
  };
  const run = compiled ? compile(step) : step;
  // Fresh tensors from host arrays, as a loader hands them out.
  const batches = Array.from({ length: 64 }, () => ({
    x: randn([128, 2]).dataSync(),
    y: randint(0, 2, [128]).dataSync(),
  }));
  let i = 0;
  return () => {
    const { x, y } = batches[i++ % batches.length]!;
    return run(tensor(x, { shape: [128, 2] }), tensor(y)).itemSync();
  };
}

export function series(compiled: boolean, steps: number): Series {
  const step = makeStep(compiled);
  const out: Series = { memory: [], rss: [] };
  const each = Math.ceil(steps / TENTHS);
  for (let t = 0; t < TENTHS; t++) {
    let [sum, samples] = [0, 0];
    for (let i = 0; i < each; i++) {
      step();
      if (i % 100 !== 0) continue;
      sum += process.memoryUsage.rss();
      samples++;
    }
    out.memory.push(JSON.stringify(memory()));
    out.rss.push(sum / samples);
  }
  return out;
}
/** What is not flat, in words; none where all is. */
export function problems({ memory, rss }: Series): string[] {
  const found: string[] = [];
  const changed = memory.slice(1).findIndex(m => m !== memory[1]);
  if (changed >= 0) found.push(`memory() of tenth ${changed + 2} differs from that of the second`);
  const ratio = rss.at(-1)! / rss[1]!;
  if (Math.abs(ratio - 1) > 0.05) found.push(`RSS of the last tenth is ${ratio.toFixed(3)} of the second's`);
  return found;
}

function main(): number {
  const { values } = parseArgs({
    options: {
      compiled: { type: 'string', default: '100000' },
      uncompiled: { type: 'string', default: '20000' },
    },
  });
  let code = 0;
  for (const [name, steps] of Object.entries(values)) {
    const start = performance.now();
    const s = series(name === 'compiled', Number(steps));
    console.log(`${steps} ${name} steps, ${((performance.now() - start) / 1000).toFixed(1)} s`);
    for (const [i, rss] of s.rss.entries())
      console.log(`  tenth ${String(i + 1).padStart(2)}  RSS ${(rss / 1e6).toFixed(1)} MB  ${s.memory[i]}`);
    for (const p of problems(s)) {
      console.log(`  not flat: ${p}`);
      code = 1;
    }
  }
  return code;
}
if (import.meta.main) process.exitCode = main();
