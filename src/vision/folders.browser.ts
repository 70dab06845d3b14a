// Folders of pictures in a page: the files of a folder that the user chose.

import { FileError, show } from '../base/errors.ts';
import type { Folder, FolderRoot } from './folders.ts';

export function openFolder(root: FolderRoot): Folder {
  if (typeof root === 'string')
    throw new FileError(
      'ImageFolder',
      'in a page root must be the files that the user chose',
      show(root),
      'take them from <input type="file" webkitdirectory>',
    );
  // The chosen folder's own name stands before each path.
  const inner = (path: string): string => path.slice(path.indexOf('/') + 1);
  const files = new Map([...root].map(f => [inner(f.webkitRelativePath || f.name), f]));
  const names = [...files.keys()].sort();
  return {
    name: 'the chosen folder',
    classes: [...new Set(names.filter(n => n.includes('/')).map(n => n.slice(0, n.indexOf('/'))))],
    files: names,
    read: async file => new Uint8Array(await files.get(file)!.arrayBuffer()),
  };
}
