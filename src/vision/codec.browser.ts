// Picture files in a page, by the browser's own decoder.
// In: bytes or addresses. Out: pictures, and back.

import { FileError } from '../base/errors.ts';
import { checkEncode, converted, type DecodeOptions, damaged, type EncodeOptions, nameOf } from './codec.ts';
import { Image } from './image.ts';
import { toChannels } from './raster/color.ts';

function canvas(width: number, height: number): [OffscreenCanvas, OffscreenCanvasRenderingContext2D] {
  const c = new OffscreenCanvas(width, height);
  const context = c.getContext('2d', { willReadFrequently: true });
  if (context === null) throw new FileError('decodeImage', 'the page must have canvases', 'none', '');
  return [c, context];
}

/** A picture from the bytes of a file, turned upright where the camera says so. The browser gives 4 channels. */
export async function decodeImage(bytes: Uint8Array, options: DecodeOptions = {}): Promise<Image> {
  let bitmap: ImageBitmap;
  try {
    // A copy: a Blob takes no view of shared memory.
    bitmap = await createImageBitmap(new Blob([new Uint8Array(bytes)]), {
      colorSpaceConversion: 'none',
      premultiplyAlpha: 'none',
    });
  } catch (e) {
    throw damaged(nameOf(options), e);
  }
  const { width, height } = bitmap;
  const [, context] = canvas(width, height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  const x = new Image(new Uint8Array(data.buffer), height, width, 4);
  // What a file had is not told: an opaque picture has three channels, equal ones are grey.
  return converted(x, options, options.convert === false ? channelsIn(x) : 4);
}
function channelsIn({ data }: Image): 1 | 3 | 4 {
  let grey = true;
  for (let p = 0; p < data.length; p += 4) {
    if (data[p + 3] !== 255) return 4;
    grey &&= data[p] === data[p + 1] && data[p] === data[p + 2];
  }
  return grey ? 1 : 3;
}
/** A picture from an address. Errors: FileError where there is none. */
export async function readImage(path: string, options: DecodeOptions = {}): Promise<Image> {
  const response = await fetch(path);
  if (!response.ok)
    throw new FileError('readImage', `${path} must be readable`, `HTTP ${response.status}`, '');
  return decodeImage(new Uint8Array(await response.arrayBuffer()), { name: path, ...options });
}

/** The bytes of a file. PNG keeps every pixel. */
export async function encodeImage(x: Image, options: EncodeOptions = {}): Promise<Uint8Array> {
  const { format, quality } = checkEncode(options);
  const [surface, context] = canvas(x.width, x.height);
  const pixels = new Uint8ClampedArray(toChannels(x, 4).data.buffer);
  context.putImageData(new ImageData(pixels, x.width, x.height), 0, 0);
  const blob = await surface.convertToBlob({ type: `image/${format}`, quality: quality / 100 });
  return new Uint8Array(await blob.arrayBuffer());
}
/** Pages write no files. */
export function writeImage(path: string): Promise<never> {
  return Promise.reject(
    new FileError('writeImage', 'a page has no files', path, 'offer the bytes of encodeImage as a download'),
  );
}
