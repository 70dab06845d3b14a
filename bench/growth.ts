// How the cost of a step grows with the work: width by batch, time per multiply-add beside its neighbours.
// In: the running library. Out: a table, the worst step between neighbours, a chart.

import { chart, line, seriesColor } from '../src/viz/index.ts';
import type { Measured } from './libraries.ts';
import { duration, median, resultsFile, round, table, writeWhole } from './report.ts';
import { mlpFlop } from './workloads.ts';

const WIDTHS = [16, 32, 64, 128, 256, 512, 1024, 2048];
const BATCHES = [1, 4, 16, 64, 256, 1024, 4096];
/** Below this a step is overhead, and time per multiply-add falls as it should. */
const COUNTED_FROM_MS = 0.1;
const CLASSES = 10;

interface Cell {
  readonly width: number;
  readonly batch: number;
  readonly ms: number;
  readonly gflops: number;
}

export async function growth(library: Measured): Promise<Record<string, unknown>> {
  const cells: Cell[][] = [];
  for (const batch of BATCHES) {
    const row: Cell[] = [];
    for (const width of WIDTHS) {
      const dims = [width, width, width, CLASSES];
      // A wide net on one example at a time diverges at 0.1, in any library.
      const spec = { kind: 'mlp', dims, batch, optimizer: 'sgd', lr: 1e-4 } as const;
      const medians: number[] = [];
      for (let r = 0; r < 3; r++) {
        const { samples, error } = await library.time({ spec, budget: 150 });
        if (samples === undefined) throw new Error(`${dims.join('-')} batch ${batch}: ${error}`);
        medians.push(median(samples));
      }
      const ms = median(medians);
      row.push({ width, batch, ms: round(ms), gflops: round(mlpFlop({ dims, batch }) / ms / 1e6) });
    }
    cells.push(row);
    process.stderr.write(`growth: batch ${batch}\n`);
  }

  let worst = { ratio: 0, from: cells[0]![0]!, to: cells[0]![0]! };
  const compare = (from: Cell, to: Cell | undefined) => {
    if (to === undefined || from.ms < COUNTED_FROM_MS) return;
    const ratio = from.gflops / to.gflops;
    if (ratio > worst.ratio) worst = { ratio, from, to };
  };
  cells.forEach((row, i) => {
    row.forEach((cell, j) => {
      compare(cell, row[j + 1]);
      compare(cell, cells[i + 1]?.[j]);
    });
  });

  console.log('\nOne step of WIDTH-WIDTH-WIDTH-10, SGD: time, and GFLOP/s');
  console.log(
    table(
      ['batch \\ width', ...WIDTHS.map(String)],
      cells.map((row, i) => [
        String(BATCHES[i]),
        ...row.map(c => `${duration(c.ms)} ${c.gflops.toFixed(1)}`),
      ]),
    ),
  );
  const place = (c: Cell) => `width ${c.width} batch ${c.batch}`;
  console.log(
    `time per FLOP rises by at most ${worst.ratio.toFixed(2)}x between neighbours (${place(worst.from)} to ${place(worst.to)}), steps of ${COUNTED_FROM_MS} ms and more`,
  );
  const svg = chart({
    title: 'Cost per multiply-add as the work grows',
    subtitle: `MLP width-width-width-10, one SGD step, ${library.setting}`,
    x: { label: 'floating-point operations per step', log: true },
    y: { label: 'nanoseconds per 1000 operations', log: true },
    marks: cells.map((row, i) =>
      line(
        row.map(c => c.gflops * c.ms * 1e6),
        row.map(c => 1000 / c.gflops),
        { name: `batch ${BATCHES[i]}`, color: seriesColor(i) },
      ),
    ),
  });
  writeWhole(resultsFile('growth.svg'), svg);
  console.log(`chart: ${resultsFile('growth.svg')}`);
  return { threads: library.threads, worst: { ...worst, ratio: round(worst.ratio) }, cells: cells.flat() };
}
