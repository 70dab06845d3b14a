// Folders of pictures in Node.

import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FileError, show } from '../base/errors.ts';
import type { Folder, FolderRoot } from './folders.ts';

export function openFolder(root: FolderRoot): Folder {
  if (typeof root !== 'string')
    throw new FileError('ImageFolder', 'root must be the path of a folder', show(root), '');
  const list = (path: string) => {
    try {
      return readdirSync(path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
    } catch (e) {
      throw new FileError(
        'ImageFolder',
        `${path} must be a folder`,
        e instanceof Error ? e.message : String(e),
        '',
      );
    }
  };
  const walk = (path: string): string[] =>
    list(join(root, path)).flatMap(entry => {
      const inner = path === '' ? entry.name : `${path}/${entry.name}`;
      return entry.isDirectory() ? walk(inner) : [inner];
    });
  return {
    name: root,
    classes: list(root)
      .filter(e => e.isDirectory())
      .map(e => e.name),
    files: walk(''),
    read: file => readFile(join(root, file)),
  };
}
