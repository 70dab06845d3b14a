// What both platforms know about picture files.

import { FileError, show, ValueError } from '../base/errors.ts';
import type { Image } from './image.ts';
import { toChannels } from './raster/color.ts';

export interface DecodeOptions {
  /** Channels of the result: 1 grey, 3 colours, 4 with alpha; the file's are converted. Default 3. */
  readonly channels?: 1 | 3 | 4;
  /** false: a file with another number of channels is an error. Default true. */
  readonly convert?: boolean;
  /** What the file is called in errors. */
  readonly name?: string;
}
export type ImageFormat = 'jpeg' | 'png' | 'webp';
export interface EncodeOptions {
  /** Default 'png'. */
  readonly format?: ImageFormat;
  /** 1 … 100, for jpeg and webp. Default 75. */
  readonly quality?: number;
}
export const FORMATS: readonly ImageFormat[] = ['jpeg', 'png', 'webp'];
/** Endings of file names that are taken for pictures. */
export const EXTENSIONS = [
  '.jpg',
  '.jpeg',
  '.png',
  '.webp',
  '.gif',
  '.bmp',
  '.tif',
  '.tiff',
  '.avif',
] as const;

export const nameOf = ({ name = 'the file' }: DecodeOptions): string => name;
export function damaged(name: string, why: unknown): FileError {
  const text = (why instanceof Error ? why.message : String(why)).replace(/\s+/g, ' ').trim();
  return new FileError('decodeImage', `${name} must be a whole picture`, text, '');
}
/** The channels that were asked for; `has` tells those of the file. */
export function converted(x: Image, options: DecodeOptions, has: number): Image {
  const { channels = 3, convert = true } = options;
  if (!convert && has !== channels)
    throw new FileError(
      'decodeImage',
      `${nameOf(options)} must have ${channels} channels`,
      String(has),
      'leave out {convert: false} to have it converted',
    );
  return toChannels(x, channels);
}
export function checkEncode({ format = 'png', quality = 75 }: EncodeOptions): Required<EncodeOptions> {
  if (!FORMATS.includes(format))
    throw new ValueError('encodeImage', `format must be one of ${FORMATS.join(', ')}`, show(format), '');
  if (!(Number.isInteger(quality) && quality >= 1 && quality <= 100))
    throw new ValueError('encodeImage', 'quality must be an integer in 1 … 100', show(quality), '');
  return { format, quality };
}
