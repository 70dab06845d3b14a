// ImageFolder: a folder with one folder of pictures for each class.
// In: root/class/…/picture.jpg. Out: a data set; a file is read when its picture is asked for.

import { FileError, show } from '../../base/errors.ts';
import { decodeImage } from '../codec.node.ts';
import { EXTENSIONS } from '../codec.ts';
import { openFolder } from '../folders.node.ts';
import type { Folder, FolderRoot } from '../folders.ts';
import type { Image } from '../image.ts';
import type { AnyTransform, Made } from '../transforms/transform.ts';
import { checkEvaluation, ImageDataset, type ImageSource, type SplitTransforms } from './image-dataset.ts';

interface FolderOptions {
  /** Channels of the pictures: 1 grey, 3 colours. Default 3. */
  readonly channels?: 1 | 3;
  /** false: a file with another number of channels is an error. Default true. */
  readonly convert?: boolean;
  /** Let classes be without pictures. Default false: an error that names them. */
  readonly allowEmpty?: boolean;
}
export interface ImageFolderOptions<T extends AnyTransform | null> extends FolderOptions {
  readonly transform?: T;
}

class FolderSource implements ImageSource {
  readonly classes: readonly string[];
  readonly targets: Int32Array;
  readonly files: readonly string[];
  private readonly folder: Folder;
  private readonly options: FolderOptions;

  constructor(root: FolderRoot, options: FolderOptions) {
    this.folder = openFolder(root);
    this.options = options;
    this.classes = this.folder.classes;
    if (this.classes.length === 0)
      throw new FileError(
        'ImageFolder',
        `${this.folder.name} must have a folder for each class`,
        'none',
        'lay pictures out as class/picture.jpg',
      );
    const number = new Map(this.classes.map((name, i) => [name, i]));
    const picture = (f: string): boolean => EXTENSIONS.some(e => f.toLowerCase().endsWith(e));
    this.files = this.folder.files.filter(f => f.includes('/') && picture(f));
    this.targets = Int32Array.from(this.files, f => number.get(f.split('/')[0]!)!);
    const used = new Set(this.targets);
    const empty = this.classes.filter((_, i) => !used.has(i));
    if (empty.length > 0 && options.allowEmpty !== true)
      throw new FileError(
        'ImageFolder',
        `each class folder of ${this.folder.name} must have pictures (${EXTENSIONS.join(' ')})`,
        `none in ${show(empty)}`,
        'remove the folders, or pass {allowEmpty: true}',
      );
  }
  get length(): number {
    return this.files.length;
  }
  title(index: number): string {
    return `${this.folder.name}/${this.files[index]}`;
  }
  async image(index: number): Promise<Image> {
    const name = this.title(index);
    let bytes: Uint8Array;
    try {
      bytes = await this.folder.read(this.files[index]!);
    } catch (e) {
      throw new FileError('ImageFolder', `${name} must be readable`, e instanceof Error ? e.message : '', '');
    }
    const { channels = 3, convert = true } = this.options;
    return decodeImage(bytes, { channels, convert, name });
  }
}

/**
 * Pictures in folders named by their classes, as `torchvision.datasets.ImageFolder`: classes in the order of their names.
 * In a page `root` is the list of files that the user chose. Errors: FileError for no classes, a class without pictures;
 * for a picture that is damaged when it is asked for (`new DataLoader(…, {skipDamaged: true})` leaves it out).
 */
export class ImageFolder<T extends AnyTransform | null = null> extends ImageDataset<Made<T>> {
  constructor(root: FolderRoot, options: ImageFolderOptions<T> = {}) {
    super(new FolderSource(root, options), options.transform ?? null);
  }
  /** Path and class of each picture. */
  get samples(): readonly (readonly [string, number])[] {
    const { files, targets } = this.source as FolderSource;
    return files.map((_, i) => [this.source.title(i), targets[i]!]);
  }
}

export interface ImageFolderSplits<T extends AnyTransform | null, E extends AnyTransform | null>
  extends SplitTransforms<T, E>,
    FolderOptions {}
/** The folders root/train and root/val of one data set, with the transform that is right for each. */
export function imageFolders<T extends AnyTransform | null, E extends AnyTransform | null>(
  root: string,
  options: ImageFolderSplits<T, E>,
): { readonly train: ImageFolder<T>; readonly val: ImageFolder<E> } {
  const { trainTransform, evalTransform, ...rest } = options;
  checkEvaluation('imageFolders', evalTransform);
  const open = <X extends AnyTransform | null>(part: string, transform: X): ImageFolder<X> =>
    new ImageFolder(`${root}/${part}`, { ...rest, transform });
  const [train, val] = [open('train', trainTransform), open('val', evalTransform)];
  if (train.classes.join('/') !== val.classes.join('/'))
    throw new FileError(
      'imageFolders',
      `${root}/train and ${root}/val must have the same classes`,
      `${show([...train.classes])} and ${show([...val.classes])}`,
      '',
    );
  return { train, val };
}
