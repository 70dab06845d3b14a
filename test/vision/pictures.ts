// Pictures that the script of the fixtures makes too.

import { Image } from '../../src/vision/image.ts';

/** Bytes of a linear congruential generator. */
export function picture(height: number, width: number, channels: number, seed = 1): Image {
  let state = seed;
  const data = new Uint8Array(height * width * channels);
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[i] = state >>> 24;
  }
  return new Image(data, height, width, channels);
}
