// Picture files in Node, by the optional package sharp: JPEG, PNG, WebP, GIF, TIFF, AVIF.
// In: bytes or paths. Out: pictures, and back. Colour profiles are left alone, as Pillow does.

import { readFile, rename, writeFile } from 'node:fs/promises';
import { FileError } from '../base/errors.ts';
import { checkEncode, converted, type DecodeOptions, damaged, type EncodeOptions, nameOf } from './codec.ts';
import { Image } from './image.ts';

type Sharp = typeof import('sharp')['default'];
let loaded: Promise<Sharp> | null = null;
async function load(): Promise<Sharp> {
  try {
    const { default: sharp } = await import('sharp');
    // A small picture is one thread's work; several are decoded beside each other.
    sharp.concurrency(1);
    sharp.cache(false);
    return sharp;
  } catch (e) {
    throw new FileError(
      'decodeImage',
      'picture files need the optional package sharp',
      e instanceof Error ? (e.message.split('\n')[0] ?? '') : String(e),
      'npm install sharp',
    );
  }
}
const getSharp = (): Promise<Sharp> => (loaded ??= load());

/**
 * A picture from the bytes of a file, turned upright where the camera says so.
 * Errors: FileError that names the file where it is damaged, no picture, or has other channels than asked for.
 */
export async function decodeImage(bytes: Uint8Array, options: DecodeOptions = {}): Promise<Image> {
  const sharp = await getSharp();
  let data: Uint8Array;
  let info: { width: number; height: number; channels: number };
  let has: number | null = null;
  try {
    const decoder = sharp(bytes, { failOn: 'error', ignoreIcc: true, autoOrient: true });
    ({ data, info } = await decoder.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true }));
    // Grey comes as three channels: what the file has is asked for only where it matters.
    if (options.convert === false) has = (await sharp(bytes).metadata()).channels;
  } catch (e) {
    throw damaged(nameOf(options), e);
  }
  const own = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  return converted(new Image(own, info.height, info.width, info.channels), options, has ?? info.channels);
}
/** A picture from a file. Errors: FileError where it cannot be read. */
export async function readImage(path: string, options: DecodeOptions = {}): Promise<Image> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (e) {
    throw new FileError('readImage', `${path} must be readable`, e instanceof Error ? e.message : '', '');
  }
  return decodeImage(bytes, { name: path, ...options });
}

/** The bytes of a file. PNG keeps every pixel. */
export async function encodeImage(x: Image, options: EncodeOptions = {}): Promise<Uint8Array> {
  const { format, quality } = checkEncode(options);
  const sharp = await getSharp();
  const raw = { width: x.width, height: x.height, channels: x.channels as 1 | 3 | 4 };
  const picture = sharp(x.data, { raw });
  if (x.channels === 1) picture.toColourspace('b-w');
  const made = format === 'png' ? picture.png() : picture[format]({ quality });
  const { buffer, byteOffset, byteLength } = await made.toBuffer();
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}
/** Writes a picture; the ending of the name decides the format. A file that was there stays until the new one is whole. */
export async function writeImage(
  path: string,
  x: Image,
  options: Pick<EncodeOptions, 'quality'> = {},
): Promise<void> {
  const ending = /\.(\w+)$/.exec(path)?.[1]?.toLowerCase();
  const format = ending === 'jpg' ? 'jpeg' : ending;
  const bytes = await encodeImage(x, { format: format as 'png', ...options });
  try {
    await writeFile(`${path}.part`, bytes);
    await rename(`${path}.part`, path);
  } catch (e) {
    throw new FileError('writeImage', `${path} must be writable`, e instanceof Error ? e.message : '', '');
  }
}
