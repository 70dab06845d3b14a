// Makes src/cli/fonts anew: the glyphs that pictures use, cut out of Inter and Noto Sans SC (both OFL-1.1), so that PNG
// pictures look the same on every machine, Chinese included, without font packages of 100 MB. Run it when a test says
// that a picture's text has a character without a glyph. It installs its tools into a temporary folder.

import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const target = join(root, 'src/cli/fonts');
const SUBSETTER = 'subset-font@2.9.0';
const FONTS = [
  { from: '@expo-google-fonts/inter@0.4.2', name: 'Inter', chinese: false },
  { from: '@expo-google-fonts/noto-sans-sc@0.4.3', name: 'NotoSansSC', chinese: true },
] as const;
const STYLES = ['400Regular', '600SemiBold'] as const;

/** What any picture may use, beside the Chinese characters that stand in the sources. */
const LATIN =
  Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).join('') +
  'αβγδεζηθικλμνξοπρστυφχψωΓΔΘΛΣΦΨΩ∂∑∏√∞∫≈≠≤≥±×÷−·→←↑↓⇒…–—“”‘’°′″§✓' +
  '⁰¹²³⁴⁵⁶⁷⁸⁹⁻ⁿᵢ₀₁₂₃₄₅₆₇₈₉ŷâêîôûäöüßéèçñ';
const CHINESE_SIGNS = '，。、；：？！（）《》「」【】～';

/** All characters beyond Latin in the sources whose texts pictures show. */
function charactersOf(folder: string): Set<string> {
  const found = new Set<string>();
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) for (const c of charactersOf(path)) found.add(c);
    else if (name.endsWith('.ts'))
      for (const c of readFileSync(path, 'utf8')) if (c >= '\u2e80') found.add(c);
  }
  return found;
}

type Subset = (
  font: Buffer,
  text: string,
  options: { targetFormat: string; preserveNameIds: number[] },
) => Promise<Buffer>;

const tools = mkdtempSync(join(tmpdir(), 'tenon-fonts-'));
try {
  const packages = [SUBSETTER, ...FONTS.map(f => f.from)];
  const install = ['install', '--prefix', tools, '--no-save', '--no-audit', '--no-fund', ...packages];
  if (spawnSync('npm', install, { stdio: 'inherit' }).status !== 0)
    throw new Error('the font tools could not be installed');
  const modules = join(tools, 'node_modules');
  const subset = createRequire(join(modules, 'index.js'))('subset-font') as Subset;
  const chinese = ['src/cli', 'src/viz', 'src/text'].flatMap(folder => [...charactersOf(join(root, folder))]);
  mkdirSync(target, { recursive: true });
  for (const font of FONTS) {
    const folder = join(modules, font.from.slice(0, font.from.lastIndexOf('@')));
    const text = [...new Set(font.chinese ? [...CHINESE_SIGNS, ...chinese] : LATIN)].sort().join('');
    for (const style of STYLES) {
      const whole = readFileSync(join(folder, style, `${font.name}_${style}.ttf`));
      // The names that tell the weights of one family apart.
      const small = await subset(whole, text, { targetFormat: 'truetype', preserveNameIds: [1, 2, 16, 17] });
      const file = `${font.name}-${style.slice(3)}.ttf`;
      writeFileSync(join(target, file), small);
      console.log(`${file}: ${[...text].length} characters, ${small.length} bytes`);
    }
    copyFileSync(join(folder, 'LICENSE_FONT'), join(target, `${font.name}.LICENSE.txt`));
  }
} finally {
  rmSync(tools, { recursive: true, force: true });
}
