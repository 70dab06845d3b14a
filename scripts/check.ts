// What can be checked without running anything: types (with and without DOM and Node), format and lint, imports.

import { CHECKS, runCheck } from './checks.ts';

const failed = CHECKS.filter(c => !runCheck(c)).length;
process.exit(failed === 0 ? 0 : 1);
