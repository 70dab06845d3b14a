// For bundles of pages: the browser's platform in place of Node's.

import { resolve } from 'node:path';
import type { Plugin } from 'esbuild';

export const browserPlatform: Plugin = {
  name: 'browser platform',
  setup(build) {
    build.onResolve({ filter: /platform\.node\.ts$/ }, args => ({
      path: resolve(args.resolveDir, args.path).replace('platform.node.ts', 'platform.browser.ts'),
    }));
  },
};
