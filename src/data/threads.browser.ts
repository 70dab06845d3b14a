// Web workers for loaders: module workers, which need no isolated page.

import type { Thread, ThreadEvents } from './wire.ts';

const entry = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './data.js', import.meta.url).href;

const SOURCE = `
const early = [];
let take = m => early.push(m);
onmessage = e => take(e.data);
import(${JSON.stringify(entry)}).then(
  m => m.serveWorker({
    post: (message, transfer) => postMessage(message, transfer),
    listen: f => { take = f; early.forEach(f); },
  }),
  e => setTimeout(() => { throw e; }),
);`;

export function startThread({ message, end }: ThreadEvents): Thread {
  const url = URL.createObjectURL(new Blob([SOURCE], { type: 'text/javascript' }));
  const worker = new Worker(url, { type: 'module' });
  worker.onmessage = e => message(e.data);
  worker.onerror = e => end(e.message);
  return {
    post: (m, transfer = []) => worker.postMessage(m, transfer as ArrayBuffer[]),
    hold: () => {},
    stop: () => {
      worker.terminate();
      URL.revokeObjectURL(url);
    },
  };
}
