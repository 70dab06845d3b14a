// What both platforms know about folders of pictures.

/** A file that the user of a page chose. */
export interface ChosenFile {
  readonly name: string;
  readonly webkitRelativePath: string;
  arrayBuffer(): Promise<ArrayBuffer>;
}
/** A folder by its path; in a page the files of `<input type="file" webkitdirectory>`. */
export type FolderRoot = string | Iterable<ChosenFile>;
export interface Folder {
  readonly name: string;
  /** Folders in it, sorted; in Node also empty ones. */
  readonly classes: readonly string[];
  /** All files below it, as 'class/…/file', sorted. */
  readonly files: readonly string[];
  read(file: string): Promise<Uint8Array>;
}
