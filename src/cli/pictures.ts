// Pictures as files: SVG always, PNG where the rasteriser is installed. The fonts of PNG pictures come along (fonts/), so
// a picture looks the same on every machine. In: SVG texts. Out: files.

import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Pixels of a PNG per unit of the SVG. */
const ZOOM = 2;

export type Rasterizer = (svg: string) => Uint8Array;
let rasterizer: Promise<Rasterizer | null> | null = null;
/** Turns SVG into PNG; null where the optional package @resvg/resvg-js is not installed. */
export function loadRasterizer(): Promise<Rasterizer | null> {
  rasterizer ??= makeRasterizer();
  return rasterizer;
}
async function makeRasterizer(): Promise<Rasterizer | null> {
  const resvg = await import('@resvg/resvg-js').catch(() => null);
  if (resvg === null) return null;
  const folder = fileURLToPath(new URL('./fonts', import.meta.url));
  const fontFiles = (await readdir(folder)).filter(f => f.endsWith('.ttf')).map(f => join(folder, f));
  const font = { loadSystemFonts: false, fontFiles, defaultFontFamily: 'Inter' };
  return svg =>
    new resvg.Resvg(nameFonts(svg), { font, fitTo: { mode: 'zoom', value: ZOOM } }).render().asPng();
}
/** Names the family of Chinese runs: the rasteriser finds a substitute by itself, but not of the same weight. */
const nameFonts = (svg: string): string =>
  svg.replace(/>[^<>]*<\/text>/g, content =>
    content.replace(/[\u2e80-\uffe6]+/g, run => `<tspan font-family="Noto Sans SC">${run}</tspan>`),
  );

/** Writes each picture as NAME.svg and NAME.png into a folder; returns the files. */
export async function writePictures(
  folder: string,
  pictures: Readonly<Record<string, string>>,
): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const toPng = await loadRasterizer();
  const files: string[] = [];
  const write = async (name: string, content: string | Uint8Array): Promise<void> => {
    await writeFile(join(folder, name), content);
    files.push(join(folder, name));
  };
  for (const [name, svg] of Object.entries(pictures)) {
    await write(`${name}.svg`, svg);
    if (toPng !== null) await write(`${name}.png`, toPng(svg));
  }
  return files;
}
