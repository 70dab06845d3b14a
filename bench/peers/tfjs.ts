// TensorFlow.js on its Wasm backend with SIMD; its threads are switched off in Node by the package itself.

import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { batches, type Step, serve } from '../serve.ts';
import type { Gemm, Mlp, Spec } from '../workloads.ts';

const entry = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm');
setWasmPaths(join(dirname(entry), sep));
await tf.setBackend('wasm');
await tf.ready();

/** The backend computes at once; a result that nobody reads is computed all the same. */
const repeat = (f: () => tf.Tensor): Step => {
  return () => {
    f().dispose();
  };
};

function gemm({ m, k, n, batch, ta, tb }: Gemm): Step {
  const lead = batch === undefined ? [] : [batch];
  const a = tf.randomNormal([...lead, ...(ta ? [k, m] : [m, k])]);
  const b = tf.randomNormal([...lead, ...(tb ? [n, k] : [k, n])]);
  return repeat(() => tf.matMul(a as tf.Tensor2D, b as tf.Tensor2D, ta, tb));
}

function mlp({ dims, batch, optimizer, compiled }: Mlp): Step | undefined {
  if (compiled === false) return undefined;
  const classes = dims.at(-1)!;
  const layers = dims.slice(1).map((out, i) => ({
    w: tf.variable(tf.randomNormal([dims[i]!, out], 0, Math.sqrt(2 / dims[i]!))) as tf.Variable<tf.Rank.R2>,
    b: tf.variable(tf.zeros([out])),
  }));
  const opt = optimizer === 'adam' ? tf.train.adam(1e-3) : tf.train.sgd(0.1);
  const data = batches(dims[0]!, classes, batch);
  return i => {
    const { x, y } = data[i % data.length]!;
    const loss = tf.tidy(() => {
      const bx = tf.tensor2d(x, [batch, dims[0]!]);
      const by = tf.oneHot(tf.tensor1d(y, 'int32'), classes) as tf.Tensor2D;
      const value = opt.minimize(() => {
        let h: tf.Tensor2D = bx;
        layers.forEach(({ w, b }, l) => {
          h = tf.add(tf.matMul(h, w), b);
          if (l < layers.length - 1) h = tf.relu(h);
        });
        return tf.losses.softmaxCrossEntropy(by, h) as tf.Scalar;
      }, true)!;
      return value.dataSync()[0]!;
    });
    if (!Number.isFinite(loss)) throw new Error(`the loss is ${loss}`);
  };
}

function prepare(spec: Spec): Step | undefined {
  switch (spec.kind) {
    case 'gemm':
      return gemm(spec);
    case 'mlp':
      return mlp(spec);
    case 'softmax': {
      const x = tf.randomNormal<tf.Rank.R2>([spec.rows, spec.cols]);
      return repeat(() => tf.softmax(x));
    }
    case 'layernorm': {
      const x = tf.randomNormal<tf.Rank.R2>([spec.rows, spec.cols]);
      return repeat(() =>
        tf.tidy(() => {
          const { mean, variance } = tf.moments(x, 1, true);
          return x.sub(mean).mul(variance.add(1e-5).rsqrt());
        }),
      );
    }
    case 'gelu-sum': {
      const x = tf.randomNormal<tf.Rank.R1>([spec.size]);
      return repeat(() =>
        tf.tidy(() => {
          const h = x.mul(2).add(1);
          return h.mul(h.mul(Math.SQRT1_2).erf().add(1)).mul(0.5).sum();
        }),
      );
    }
  }
}

serve({ name: 'tfjs-wasm', setting: 'wasm backend, SIMD; its threads need a browser', threads: 1, prepare });
