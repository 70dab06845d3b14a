// What a page gives: web workers where it is cross-origin isolated, a message channel as macrotask, flags in the query.

import { setFlagSource } from '../base/env.ts';
import { setLog } from '../base/log.ts';
import { setPlatform } from './pool.ts';

const query = new URLSearchParams(globalThis.location?.search ?? '');
setFlagSource(name => query.get(name) ?? undefined);
setLog(text => {
  console.warn(text);
});
const isolated = globalThis.crossOriginIsolated === true;
setPlatform({
  name: isolated
    ? 'this page'
    : 'a page that is not cross-origin isolated (it lacks the COOP and COEP headers)',
  findBlas: null,
  heapUse: null,
  cores: globalThis.navigator?.hardwareConcurrency ?? 1,
  spawn: isolated
    ? (source, data) => {
        const url = URL.createObjectURL(
          new Blob([`${source}\nonmessage = m => serve(m.data);`], { type: 'text/javascript' }),
        );
        const w = new Worker(url);
        w.postMessage(data);
        return {
          terminate: () => {
            w.terminate();
            URL.revokeObjectURL(url);
          },
        };
      }
    : null,
});
const { port1, port2 } = new MessageChannel();
// Node runs this file, too, where a page's bundle is imported there: a port that listens keeps it from ending.
const held = port1 as MessagePort & { ref?(): void; unref?(): void };
let waiting: (() => void)[] = [];
port1.onmessage = () => {
  const list = waiting;
  waiting = [];
  held.unref?.();
  for (const f of list) f();
};
held.unref?.();
export const macrotask = (): Promise<void> =>
  new Promise(r => {
    waiting.push(r);
    held.ref?.();
    port2.postMessage(0);
  });
