// npm run pictures: makes docs/pictures anew, the pictures of the missions that the documents show, in both languages.
// Seed 0, as `npm start` draws them.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import type { Language } from '../src/cli/language.ts';
import { findRecipe, runRecipe } from '../src/cli/run-recipe.ts';
import { makeTerminal } from '../src/cli/terminal.ts';

/** Which pictures of which recipe. */
const SHOWN = {
  line: ['line', 'descent'],
  kinks: ['kinks'],
  circle: ['boundary', 'learning'],
  triangle: ['network'],
} as const;

const root = resolve(import.meta.dirname, '..');
const folder = join(root, 'docs/pictures');
rmSync(folder, { recursive: true, force: true });
for (const language of ['en', 'zh'] satisfies Language[]) {
  mkdirSync(join(folder, language), { recursive: true });
  const terminal = makeTerminal(language, { out: process.stdout, err: process.stderr, env: process.env });
  for (const [name, pictures] of Object.entries(SHOWN)) {
    const drawn = await (await runRecipe(findRecipe(name), 0, {}, terminal)).pictures();
    for (const picture of pictures) {
      const file = join(folder, language, picture === name ? `${name}.svg` : `${name}-${picture}.svg`);
      writeFileSync(file, `${drawn[picture]!}\n`);
      console.log(relative(root, file));
    }
  }
}
