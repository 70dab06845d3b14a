// For bundles of pages: the browser's twin of each file for Node.

import { resolve } from 'node:path';
import type { Plugin } from 'esbuild';

export const browserPlatform: Plugin = {
  name: 'browser platform',
  setup(build) {
    build.onResolve({ filter: /\.node\.ts$/ }, args => ({
      path: resolve(args.resolveDir, args.path).replace(/\.node\.ts$/, '.browser.ts'),
    }));
  },
};
