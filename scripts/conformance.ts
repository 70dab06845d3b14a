// npm run conformance -- golden DIR [GROUP …]: runs a folder of outside cases through the public API.

import { resolve } from 'node:path';
import { runGolden } from './conformance/golden.ts';

const [format, dir, ...groups] = process.argv.slice(2);
if (format !== 'golden' || dir === undefined) {
  console.error('usage: npm run conformance -- golden DIR [GROUP …]');
  process.exit(2);
}
process.exit((await runGolden(resolve(dir), groups, console.log)) ? 0 : 1);
