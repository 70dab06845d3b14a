// Worker threads of Node for loaders.

import { Worker } from 'node:worker_threads';
import type { Thread, ThreadEvents } from './wire.ts';

/** The module that has `serveWorker`: this folder's in the sources, the public entry in the package. */
const entry = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './data.js', import.meta.url).href;

// Neither require nor import statements: Node's own arguments decide whether this is a module.
const SOURCE = `
import('node:worker_threads').then(async ({ parentPort, workerData }) => {
  const { serveWorker } = await import(workerData);
  serveWorker({
    post: (message, transfer) => parentPort.postMessage(message, transfer),
    listen: f => parentPort.on('message', f),
  });
});`;

export function startThread({ message, end }: ThreadEvents): Thread {
  const worker = new Worker(SOURCE, { eval: true, workerData: entry });
  worker.unref();
  worker.on('message', message);
  worker.on('error', e => end(e instanceof Error ? e.message : String(e)));
  worker.on('exit', code => end(`it ended with code ${code}`));
  return {
    post: (m, transfer = []) => worker.postMessage(m, transfer as ArrayBuffer[]),
    // Only a thread from which something is awaited keeps the process alive.
    hold: on => (on ? worker.ref() : worker.unref()),
    stop: () => void worker.terminate(),
  };
}
