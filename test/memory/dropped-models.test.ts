// A model that is dropped before its first call costs nothing: its first values are never drawn.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { nn, ones, randn } from '../../src/index.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

it('parameters and buffers that nobody holds are not computed with those of the next model', async () => {
  const make = (): nn.Module => {
    const m = new nn.Identity();
    m.registerBuffer('noise', randn([3]));
    return m;
  };
  // The node of a parameter would hold the parameter; that of a buffer holds nothing.
  const nodeOf = (m: nn.Module) => [...m.buffers()][0]!._node;
  const dropped = nodeOf(make());
  const held = make();
  // A weak reference holds its object until the task that made it has ended.
  await new Promise(resolve => setTimeout(resolve, 0));
  collect();
  new nn.Linear(3, 1)(ones([1, 3])).dataSync();
  expect(dropped.value).toBe(null);
  expect(nodeOf(held).value).not.toBe(null);
});
