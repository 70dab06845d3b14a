// The commands of package.json, from a bare clone on: installs what is missing, then runs on the pinned Node.
// Plain JavaScript without dependencies: it must work before anything is installed, on any Node >= 20.19.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const [command = 'help', ...args] = process.argv.slice(2);

function run(program, list, options = {}) {
  const r = spawnSync(program, list, { cwd: root, stdio: 'inherit', ...options });
  if (r.error) {
    console.error(`${program}: ${r.error.message}`);
    return 1;
  }
  return r.status ?? 1;
}

/** npm ci where node_modules is missing or older than the lock file. */
function install(folder = root) {
  const marker = join(folder, 'node_modules', '.package-lock.json');
  const lock = join(folder, 'package-lock.json');
  if (existsSync(marker) && statSync(marker).mtimeMs >= statSync(lock).mtimeMs) return;
  console.error(
    `installing ${folder === root ? 'the dev dependencies' : `those of ${folder.slice(root.length + 1)}/`} …`,
  );
  const code = run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (code !== 0) process.exit(code);
}

install();
const node = join(root, 'node_modules', 'node', 'bin', 'node');
const onNode = (file, list = [], env = {}) =>
  run(existsSync(node) ? node : process.execPath, ['--disable-warning=ExperimentalWarning', file, ...list], {
    env: { ...process.env, ...env },
  });

const commands = {
  start: () => onNode('src/cli/main.ts', ['missions', ...args]),
  'missions-20': () => onNode('src/cli/main.ts', ['missions', '--seeds', '20', ...args]),
  tenon: () => onNode('src/cli/main.ts', args),
  test: () => onNode('scripts/test.ts', args),
  build: () => onNode('scripts/build.ts', args),
  check: () => onNode('scripts/check.ts', args),
  size: () => onNode('scripts/size.ts', args),
  bands: () => onNode('scripts/bands.ts', args),
  results: () => onNode('scripts/results.ts', args),
  'kill-test': () => onNode('node_modules/vitest/vitest.mjs', ['run', 'test/cli/resume'], { KILLS: '20' }),
  docs: () => onNode('scripts/docs.ts', args),
  pictures: () => onNode('scripts/pictures.ts', args),
  fonts: () => onNode('scripts/fonts.ts', args),
  ulp: () => onNode('scripts/ulp.ts', args),
  flat: () => onNode('scripts/flat.ts', args),
  inventory: () => onNode('scripts/inventory.ts', args),
  conformance: () => onNode('scripts/conformance.ts', args),
  bench: () => {
    install(join(root, 'bench'));
    return onNode('bench/main.ts', args);
  },
};
const chosen = commands[command];
if (chosen === undefined) {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  console.error(`tenon ${version}: npm start | test | run ${Object.keys(commands).slice(3).join(' | ')}`);
  process.exit(2);
}
process.exit(chosen());
