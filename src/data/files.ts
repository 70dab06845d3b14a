// What both platforms know about files of data sets.

export interface FileSource {
  /** Below the data folder, in the data set's official layout: 'MNIST/raw/train-images-idx3-ubyte.gz'. */
  readonly path: string;
  /** Where it can be had, tried in this order. */
  readonly urls: readonly string[];
  /** Hexadecimal checksum of the file; a download that differs is refused. */
  readonly sha256?: string;
  readonly md5?: string;
}
export interface Progress {
  /** The file's path below the data folder. */
  readonly file: string;
  /** Bytes so far, those of an earlier try included. */
  readonly received: number;
  /** Bytes of the whole file; null where the server does not say. */
  readonly total: number | null;
}
let watcher: ((p: Progress) => void) | null = null;
/** Called for downloads whose caller did not ask to be told: a progress bar of the program. null ends it. */
export function watchDownloads(f: ((p: Progress) => void) | null): void {
  watcher = f;
}
export const tellProgress = (options: FileOptions, p: Progress): void => (options.onProgress ?? watcher)?.(p);

export interface FileOptions {
  /** The data folder. Default: the flag TENON_DATA, else a folder in the user's cache. */
  readonly root?: string;
  /** false: never go to the network. Default true. */
  readonly download?: boolean;
  /** Called while a file is downloaded; draws nothing itself. */
  readonly onProgress?: (p: Progress) => void;
  readonly signal?: AbortSignal;
  /** A transfer that gives nothing for this long is given up and tried again. Default 30 000. */
  readonly stallMs?: number;
}
