// A model that PyTorch trained goes on here, and one of ours goes on there: weights and Adam's state in one file, and the
// losses of the next steps are the same.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Adam, F, manualSeed, nn, randn, type Tensor, tensor } from '../../src/index.ts';
import { load, save, type Tree, tensorsOf } from '../../src/io/index.ts';

const python = ['/usr/bin/python3', 'python3'].find(
  p => spawnSync(p, ['-c', 'import torch'], { encoding: 'utf8' }).status === 0,
);
const temp = mkdtempSync(join(tmpdir(), 'tenon-torch-'));
afterAll(() => rmSync(temp, { recursive: true, force: true }));
function torch(script: string): unknown {
  const file = join(temp, 'script.py');
  writeFileSync(file, script);
  const r = spawnSync(python!, [file], { cwd: temp, encoding: 'utf8' });
  if (r.status !== 0) throw new Error(r.stderr);
  return JSON.parse(r.stdout);
}
const LIBRARY = `
import torch, json
import torch.nn.functional as F
def net(): return torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.BatchNorm1d(8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
def step(m, o, x, y):
    o.zero_grad(); l = F.cross_entropy(m(x), y); l.backward(); o.step(); return l.item()
`;
const makeNet = (): nn.Sequential =>
  new nn.Sequential(new nn.Linear(5, 8), new nn.BatchNorm1d(8), new nn.ReLU(), new nn.Linear(8, 3));
function step(m: nn.Sequential, o: Adam, x: Tensor, y: Tensor): number {
  o.zeroGrad();
  const loss = F.crossEntropy(m(x) as Tensor, y);
  loss.backward();
  o.step();
  return loss.itemSync();
}
const at = (tree: Tree, ...path: string[]): Tree =>
  path.reduce((t, k) => (t as Readonly<Record<string, Tree>>)[k]!, tree);
const state = (tree: Tree): Record<string, Tensor> => Object.fromEntries(tensorsOf(tree));

describe.skipIf(python === undefined)('PyTorch (needs python3 with torch)', () => {
  it.each([true, false])('a training that began there goes on here; zip: %s', async zip => {
    const theirs = torch(`${LIBRARY}
torch.manual_seed(0)
m = net(); o = torch.optim.Adam(m.parameters(), 1e-2, weight_decay=1e-3)
x = torch.randn(16, 5); y = torch.arange(16) % 3
for _ in range(5): step(m, o, x, y)
torch.save({'model': m.state_dict(), 'optimizer': o.state_dict(), 'x': x, 'y': y, 'epoch': 5}, 'there.pth', _use_new_zipfile_serialization=${zip ? 'True' : 'False'})
print(json.dumps([step(m, o, x, y) for _ in range(4)]))`) as number[];
    const file = await load(join(temp, 'there.pth'));
    const model = makeNet();
    model.loadStateDict(state(at(file, 'model')));
    const optimizer = new Adam(model.parameters(), { lr: 0.5 });
    optimizer.loadStateDict(at(file, 'optimizer') as never);
    const [x, y] = [at(file, 'x') as Tensor, at(file, 'y') as Tensor];
    const ours = theirs.map(() => step(model, optimizer, x, y));
    ours.forEach((loss, i) => {
      expect(Math.abs(loss - theirs[i]!)).toBeLessThan(1e-5);
    });
    expect(at(file, 'epoch')).toBe(5);
  });
  it('a training that began here goes on there', async () => {
    manualSeed(1);
    const model = makeNet();
    const optimizer = new Adam(model.parameters(), { lr: 0.01, weightDecay: 0.001 });
    const x = randn([16, 5]);
    const y = tensor(BigInt64Array.from({ length: 16 }, (_, i) => BigInt(i % 3)));
    for (let i = 0; i < 5; i++) step(model, optimizer, x, y);
    await save(join(temp, 'here.pth'), {
      model: model.stateDict(),
      optimizer: optimizer.stateDict() as unknown as Tree,
      x,
      y,
      note: '榫',
      list: [1, 0.5, null, true],
    });
    const ours = Array.from({ length: 4 }, () => step(model, optimizer, x, y));
    const theirs = torch(`${LIBRARY}
f = torch.load('here.pth')
assert f['note'] == '榫' and f['list'] == [1, 0.5, None, True], f['list']
m = net(); m.load_state_dict(f['model'])
o = torch.optim.Adam(m.parameters()); o.load_state_dict(f['optimizer'])
print(json.dumps([step(m, o, f['x'], f['y']) for _ in range(4)]))`) as number[];
    ours.forEach((loss, i) => {
      expect(Math.abs(loss - theirs[i]!)).toBeLessThan(1e-5);
    });
  });
});
