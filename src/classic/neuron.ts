// 1943: the neuron of McCulloch and Pitts. It adds up what arrives and fires from a threshold on; nothing is learned.

/** Fires (1) where no inhibiting input is on and at least `threshold` of the others are; else 0. */
export function mpNeuron(
  inputs: readonly (0 | 1)[],
  { threshold, inhibiting = [] }: { threshold: number; inhibiting?: readonly (0 | 1)[] },
): 0 | 1 {
  if (inhibiting.some(x => x === 1)) return 0;
  const sum = inputs.reduce((s: number, x) => s + x, 0);
  return sum >= threshold ? 1 : 0;
}

/** The gates that one neuron makes. There is none for XOR. */
export const GATES = {
  and: (a: 0 | 1, b: 0 | 1): 0 | 1 => mpNeuron([a, b], { threshold: 2 }),
  or: (a: 0 | 1, b: 0 | 1): 0 | 1 => mpNeuron([a, b], { threshold: 1 }),
  not: (a: 0 | 1): 0 | 1 => mpNeuron([], { threshold: 0, inhibiting: [a] }),
} as const;
