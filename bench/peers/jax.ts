// jax-js on its Wasm backend: everything under jit, one call per step, arrays owned as its README asks.

import {
  defaultDevice,
  init,
  type Array as JaxArray,
  jit,
  nn,
  numpy as np,
  tree,
  valueAndGrad,
} from '@jax-js/jax';
import { batches, type Step, serve } from '../serve.ts';
import type { Gemm, Mlp, Spec } from '../workloads.ts';

await init('wasm');
defaultDevice('wasm');

const random = (shape: number[], scale = 1): JaxArray => {
  const data = Float32Array.from(
    { length: shape.reduce((p, d) => p * d, 1) },
    (_, i) => Math.sin(i * 12.9898 + 1) * scale,
  );
  return np.array(data).reshape(shape);
};

async function consume(r: JaxArray): Promise<void> {
  await r.blockUntilReady();
  r.dispose();
}

function gemm({ m, k, n, batch, ta, tb }: Gemm): Step {
  const lead = batch === undefined ? [] : [batch];
  const a = random([...lead, ...(ta ? [k, m] : [m, k])]);
  const b = random([...lead, ...(tb ? [n, k] : [k, n])]);
  const product = jit((x: JaxArray, y: JaxArray) =>
    np.matmul(ta ? np.matrixTranspose(x) : x, tb ? np.matrixTranspose(y) : y),
  );
  return () => consume(product(a.ref, b.ref) as JaxArray);
}

type Layer = { w: JaxArray; b: JaxArray };
type State = { p: Layer[]; m: Layer[]; v: Layer[]; t: JaxArray };

function mlp({ dims, batch, optimizer, compiled }: Mlp): Step | undefined {
  if (compiled === false) return undefined;
  const classes = dims.at(-1)!;
  const layers = (scale: number): Layer[] =>
    dims.slice(1).map((out, i) => ({
      w: random([dims[i]!, out], scale * Math.sqrt(2 / dims[i]!)),
      b: np.zeros([out]),
    }));
  const loss = (p: Layer[], x: JaxArray, y: JaxArray): JaxArray => {
    let h = x;
    p.forEach(({ w, b }, i) => {
      h = np.matmul(h, w).add(b);
      if (i < p.length - 1) h = nn.relu(h);
    });
    return np.mean(np.sum(nn.logSoftmax(h, -1).mul(nn.oneHot(y, classes)), -1)).mul(-1);
  };
  const lossAndGradient = valueAndGrad(loss);
  const sgd = jit((p: Layer[], x: JaxArray, y: JaxArray) => {
    const [value, g] = lossAndGradient(tree.ref(p), x, y) as [JaxArray, Layer[]];
    return [value, tree.map((w: JaxArray, d: JaxArray) => w.sub(d.mul(0.1)), p, g)];
  });
  const adam = jit(({ p, m, v, t }: State, x: JaxArray, y: JaxArray) => {
    const [value, g] = lossAndGradient(tree.ref(p), x, y) as [JaxArray, Layer[]];
    const m2 = tree.map((a: JaxArray, d: JaxArray) => a.mul(0.9).add(d.mul(0.1)), m, tree.ref(g)) as Layer[];
    const v2 = tree.map(
      (a: JaxArray, d: JaxArray) => a.mul(0.999).add(d.ref.mul(d).mul(0.001)),
      v,
      g,
    ) as Layer[];
    const t2 = t.add(1);
    const c1 = np.subtract(1, np.power(0.9, t2.ref));
    const c2 = np.subtract(1, np.power(0.999, t2.ref));
    const p2 = tree.map(
      (w: JaxArray, a: JaxArray, b: JaxArray) =>
        w.sub(np.divide(np.divide(a, c1.ref).mul(1e-3), np.sqrt(np.divide(b, c2.ref)).add(1e-8))),
      p,
      tree.ref(m2),
      tree.ref(v2),
    ) as Layer[];
    c1.dispose();
    c2.dispose();
    return [value, { p: p2, m: m2, v: v2, t: t2 }];
  });
  const data = batches(dims[0]!, classes, batch);
  let state: State = { p: layers(1), m: layers(0), v: layers(0), t: np.array(0) };
  return async i => {
    const { x, y } = data[i % data.length]!;
    const bx = np.array(x).reshape([batch, dims[0]!]);
    const by = np.array(y);
    let value: JaxArray;
    if (optimizer === 'sgd') {
      const r = sgd(state.p, bx, by) as unknown as [JaxArray, Layer[]];
      value = r[0];
      state = { ...state, p: r[1] };
    } else {
      const r = adam(state, bx, by) as unknown as [JaxArray, State];
      [value, state] = r;
    }
    const read = (await value.data())[0]!;
    if (!Number.isFinite(read)) throw new Error(`the loss is ${read}`);
  };
}

function rowwise(f: (x: JaxArray) => JaxArray, shape: number[]): Step {
  const x = random(shape);
  const compiled = jit(f);
  return () => consume(compiled(x.ref) as JaxArray);
}

function prepare(spec: Spec): Step | undefined {
  switch (spec.kind) {
    case 'gemm':
      return gemm(spec);
    case 'mlp':
      return mlp(spec);
    case 'softmax':
      return rowwise(x => nn.softmax(x, -1), [spec.rows, spec.cols]);
    case 'layernorm':
      return rowwise(x => nn.standardize(x, -1), [spec.rows, spec.cols]);
    case 'gelu-sum':
      return rowwise(x => np.sum(nn.gelu(x.mul(2).add(1), { approximate: false })), [spec.size]);
  }
}

serve({ name: 'jax-js', setting: 'wasm backend, jit; its threads need a browser', threads: 1, prepare });
