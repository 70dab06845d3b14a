// Gives the event loop a turn when 16 ms have passed since the last: pages stay alive, timers fire.

let macrotask: () => Promise<void> = () => new Promise(r => setTimeout(r, 0));
/** The platform's cheapest macrotask. */
export const setMacrotask = (f: () => Promise<void>): void => {
  macrotask = f;
};

const BUDGET_MS = 16;
let last = 0;
export async function yieldSometimes(): Promise<void> {
  const now = performance.now();
  if (now - last < BUDGET_MS) return;
  await macrotask();
  last = performance.now();
}
