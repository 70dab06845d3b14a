// Numbers in the order of time: a published series, and windows of any.
// In: values. Out: what came before, and what came next.

import { ShapeError, showShape, ValueError } from '../base/errors.ts';
import { adopt } from '../tensor/create.ts';
import { parseCsv } from './csv.ts';
import { loadFile } from './files.node.ts';
import type { FileOptions } from './files.ts';
import type { Samples } from './generators.ts';

const TEMPERATURES = {
  path: 'timeseries/daily-min-temperatures.csv',
  urls: ['https://raw.githubusercontent.com/jbrownlee/Datasets/master/daily-min-temperatures.csv'],
  sha256: '8b9de63ed6789492bf497625e7f9beb96a63d367b4b0a21754006f749fa5e5da',
};
/** The lowest temperature of each day in Melbourne, 1981 to 1990, in °C: 3650 days (Australian Bureau of Meteorology). */
export async function minTemperatures(options: FileOptions = {}): Promise<Float64Array> {
  const table = parseCsv(await loadFile(TEMPERATURES, options), { file: TEMPERATURES.path });
  return table.column('Temp') as Float64Array;
}

/** All stretches of `length` values and the `horizon` values after each. Shape: x (n, length), y (n, horizon). */
export function seriesWindows(values: ArrayLike<number>, length: number, horizon = 1): Samples {
  for (const [name, n] of Object.entries({ length, horizon }))
    if (!Number.isInteger(n) || n < 1)
      throw new ValueError('seriesWindows', `${name} must be an integer >= 1`, String(n), '');
  const n = values.length - length - horizon + 1;
  if (n < 1)
    throw new ShapeError(
      'seriesWindows',
      `${length} values and ${horizon} after them need ${length + horizon}`,
      showShape([values.length]),
      '',
    );
  const rows = (size: number, from: number): Float32Array<ArrayBuffer> =>
    Float32Array.from({ length: n * size }, (_, i) => values[from + Math.floor(i / size) + (i % size)]!);
  return {
    x: adopt(rows(length, 0), [n, length], 'float32'),
    y: adopt(rows(horizon, length), [n, horizon], 'float32'),
  };
}
