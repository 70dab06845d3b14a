// tenon doctor: what this machine gives, what of it is used, and why not the rest.

import { availableParallelism, freemem, totalmem } from 'node:os';
import { defaultDevice, getDevice, rand } from '../index.ts';
import { defineCommand } from './command.ts';
import { type Words, yesNo } from './language.ts';
import { loadRasterizer } from './pictures.ts';
import { columns } from './terminal.ts';

/** A finding: its key for scripts, its value, and what that means. */
interface Finding {
  readonly key: string;
  readonly label: Words;
  readonly value: string | number | boolean;
  readonly unit?: string;
  readonly why: Words;
}

/** Whether the engine takes a function body of these bytes; the function is (v128 v128 v128) → v128. */
function accepts(...body: readonly number[]): boolean {
  const code = [0, ...body, 11];
  const head = [0, 97, 115, 109, 1, 0, 0, 0, 1, 8, 1, 96, 3, 123, 123, 123, 1, 123, 3, 2, 1, 0];
  return WebAssembly.validate(new Uint8Array([...head, 10, code.length + 2, 1, code.length, ...code]));
}
/** local.get 0; local.get 1; f32x4.add */
const hasSimd = (): boolean => accepts(32, 0, 32, 1, 253, 228, 1);
/** The three locals; f32x4.relaxed_madd */
const hasRelaxedSimd = (): boolean => accepts(32, 0, 32, 1, 32, 2, 253, 133, 2);

export const doctor = defineCommand({
  name: 'doctor',
  about: {
    en: 'What runs here, and why: Node, SIMD, threads, memory',
    zh: '这台机器上用了什么、为什么：Node、SIMD、线程、内存',
  },
  options: {},
  examples: [['tenon doctor --json', { en: 'for scripts', zh: '供脚本使用' }]],
  async run(values, _rest, terminal) {
    const findings = [...engine(), ...device(), await pictures(), await photos(), await speed()];
    if (values.json) {
      terminal.print(JSON.stringify(Object.fromEntries(findings.map(f => [f.key, f.value]))));
      return 0;
    }
    const rows = findings.map(f => {
      const value = typeof f.value === 'boolean' ? terminal.say(yesNo(f.value)) : `${f.value}${f.unit ?? ''}`;
      return [terminal.say(f.label), value, terminal.say(f.why)];
    });
    terminal.print(columns(rows));
    return 0;
  },
});

function engine(): Finding[] {
  const relaxed = hasRelaxedSimd();
  return [
    {
      key: 'node',
      label: { en: 'Node', zh: 'Node' },
      value: process.versions.node,
      why: {
        en: `V8 ${process.versions.v8}; 20.19 or newer is needed`,
        zh: `V8 ${process.versions.v8};需要 20.19 或更新`,
      },
    },
    {
      key: 'simd',
      label: { en: 'WASM SIMD', zh: 'WASM SIMD' },
      value: hasSimd(),
      why: { en: 'needed: kernels work on four numbers at once', zh: '必需：内核一次算四个数' },
    },
    {
      key: 'relaxedSimd',
      label: { en: 'relaxed SIMD', zh: '宽松 SIMD' },
      value: relaxed,
      why: relaxed
        ? { en: 'used: multiply and add in one instruction', zh: '已启用：乘加一条指令完成' }
        : {
            en: 'not in this engine: products and sums apart; Node 22 or newer has it',
            zh: '此引擎没有：乘与加分开；Node 22 起支持',
          },
    },
  ];
}

function device(): Finding[] {
  const cpu = getDevice('cpu').describe();
  const cores = availableParallelism();
  const threads = Number(cpu['threads']);
  const asked = process.env['TENON_THREADS'];
  const gb = (bytes: number): string => (bytes / 2 ** 30).toFixed(1);
  return [
    {
      key: 'device',
      label: { en: 'device', zh: '设备' },
      value: defaultDevice(),
      why: { en: 'TENON_DEVICE or --device chooses', zh: '由 TENON_DEVICE 或 --device 选择' },
    },
    {
      key: 'threads',
      label: { en: 'threads', zh: '线程' },
      value: threads,
      why: asked
        ? {
            en: `TENON_THREADS=${asked}; the machine has ${cores} cores`,
            zh: `TENON_THREADS=${asked};本机 ${cores} 个核`,
          }
        : { en: `one per core; TENON_THREADS changes it`, zh: '每核一个；可用 TENON_THREADS 更改' },
    },
    {
      key: 'blas',
      label: { en: 'native BLAS', zh: '本机 BLAS' },
      value: cpu['blas'] === true,
      why: blasReason(cpu['blas'] === true, String(cpu['blasLibrary'])),
    },
    {
      key: 'maxMB',
      label: { en: 'tensor memory', zh: '张量内存上限' },
      value: Number(cpu['maxMB']),
      unit: ' MB',
      why: {
        en: 'the most that WASM may grow to; TENON_MAX_MB lowers it',
        zh: 'WASM 内存的上限；可用 TENON_MAX_MB 调低',
      },
    },
    {
      key: 'memoryGB',
      label: { en: 'machine memory', zh: '本机内存' },
      value: Number(gb(totalmem())),
      unit: ' GB',
      why: { en: `${gb(freemem())} GB free now`, zh: `现在空闲 ${gb(freemem())} GB` },
    },
  ];
}

function blasReason(used: boolean, about: string): Words {
  if (used) {
    return {
      en: `large matrix products go to ${about}; TENON_BLAS=0 keeps them here`,
      zh: `大的矩阵乘法交给 ${about};TENON_BLAS=0 可关闭`,
    };
  }
  return {
    en: `${about}; optional: OpenBLAS (or MKL, Accelerate) and the package koffi make large products faster`,
    zh: `${about};可选：装上 OpenBLAS(或 MKL、Accelerate)与 koffi 包，大的矩阵乘法更快`,
  };
}

async function pictures(): Promise<Finding> {
  const png = (await loadRasterizer()) !== null;
  return {
    key: 'png',
    label: { en: 'PNG pictures', zh: 'PNG 图片' },
    value: png,
    why: png
      ? { en: '@resvg/resvg-js is installed', zh: '已安装 @resvg/resvg-js' }
      : {
          en: 'install @resvg/resvg-js to get them; SVG always works',
          zh: '安装 @resvg/resvg-js 即可；SVG 始终可用',
        },
  };
}

async function photos(): Promise<Finding> {
  const there = await import('sharp').then(
    () => true,
    () => false,
  );
  return {
    key: 'photos',
    label: { en: 'picture files as data', zh: '读取图片文件' },
    value: there,
    why: there
      ? { en: 'sharp is installed: JPEG, PNG, WebP and others', zh: '已安装 sharp：可读 JPEG、PNG、WebP 等' }
      : {
          en: 'install sharp to train on your own photographs',
          zh: '安装 sharp 后才能用自己的照片训练',
        },
  };
}

/** Speed of a 512 × 512 matrix product, the best of some. */
async function speed(): Promise<Finding> {
  const n = 512;
  const [a, b] = [rand([n, n]).realize(), rand([n, n]).realize()];
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 20; i++) {
    const start = performance.now();
    a.matmul(b).realize();
    best = Math.min(best, performance.now() - start);
    await new Promise(done => setImmediate(done));
  }
  return {
    key: 'gflops',
    label: { en: 'matrix product', zh: '矩阵乘法' },
    value: Number(((2 * n ** 3) / best / 1e6).toFixed(1)),
    unit: ' GFLOP/s',
    why: { en: `${n} × ${n}, float32, best of 20`, zh: `${n} × ${n},float32,20 次中最快` },
  };
}
