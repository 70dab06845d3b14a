// Which WebAssembly instructions each machine operation is, by type; what is missing here is written out in wasm-values.ts.

import type { Op } from './wasm-asm.ts';

/** Opcodes of scalar operations, by result type (for bools also the operands' type). */
export const SCALAR: Record<string, readonly Op[]> = {};
for (const t of ['f32', 'f64'] as const) {
  for (const o of [
    'add',
    'sub',
    'mul',
    'div',
    'min',
    'max',
    'neg',
    'abs',
    'sqrt',
    'floor',
    'ceil',
    'trunc',
    'nearest',
    'copysign',
  ] as const) {
    SCALAR[`${t} ${o}`] = [`${t}.${o}`];
  }
  for (const o of ['eq', 'ne', 'lt', 'le'] as const) SCALAR[`b ${o} ${t}`] = [`${t}.${o}`];
}
for (const t of ['i32', 'i64'] as const) {
  for (const o of ['add', 'sub', 'mul', 'and', 'or', 'xor', 'shl'] as const)
    SCALAR[`${t} ${o}`] = [`${t}.${o}`];
  SCALAR[`${t} shr`] = [`${t}.shr_s`];
  SCALAR[`${t} shru`] = [`${t}.shr_u`];
  for (const o of ['eq', 'ne'] as const) SCALAR[`b ${o} ${t}`] = [`${t}.${o}`];
  SCALAR[`b lt ${t}`] = [`${t}.lt_s`];
  SCALAR[`b le ${t}`] = [`${t}.le_s`];
}
for (const o of ['and', 'or', 'xor'] as const) SCALAR[`b ${o} b`] = [`i32.${o}`];
SCALAR['b eq b'] = ['i32.eq'];
SCALAR['b ne b'] = ['i32.ne'];
SCALAR['f32 bitcast'] = ['f32.reinterpret_i32'];
SCALAR['i32 bitcast'] = ['i32.reinterpret_f32'];
SCALAR['f64 bitcast'] = ['f64.reinterpret_i64'];
SCALAR['i64 bitcast'] = ['i64.reinterpret_f64'];

export const CONVERT: Record<string, readonly Op[]> = {
  'f32 f64': ['f64.promote_f32'],
  'f64 f32': ['f32.demote_f64'],
  'f32 i32': ['i32.trunc_sat_f32_s'],
  'f64 i32': ['i32.trunc_sat_f64_s'],
  'f32 i64': ['i64.trunc_sat_f32_s'],
  'f64 i64': ['i64.trunc_sat_f64_s'],
  'i32 f32': ['f32.convert_i32_s'],
  'i32 f64': ['f64.convert_i32_s'],
  'i64 f32': ['f32.convert_i64_s'],
  'i64 f64': ['f64.convert_i64_s'],
  'i32 i64': ['i64.extend_i32_s'],
  'i64 i32': ['i32.wrap_i64'],
  'b i32': [],
  'b i64': ['i64.extend_i32_u'],
  'b f32': ['f32.convert_i32_u'],
  'b f64': ['f64.convert_i32_s'],
  'f32 b': [],
  'f64 b': [],
  'i32 b': [],
  'i64 b': [],
};

export const VECTOR: Record<string, readonly Op[]> = {
  'f32 bitcast': [],
  'i32 bitcast': [],
  'i32 not': ['v128.not'],
  'b not b': ['v128.not'],
  'i32 min': ['i32x4.min_s'],
  'i32 max': ['i32x4.max_s'],
  'i32 pmin': ['i32x4.min_s'],
  'i32 pmax': ['i32x4.max_s'],
  'b lt i32': ['i32x4.lt_s'],
  'b le i32': ['i32x4.le_s'],
};
for (const o of [
  'add',
  'sub',
  'mul',
  'div',
  'min',
  'max',
  'pmin',
  'pmax',
  'neg',
  'abs',
  'sqrt',
  'floor',
  'ceil',
  'trunc',
  'nearest',
] as const) {
  VECTOR[`f32 ${o}`] = [`f32x4.${o}`];
}
for (const o of ['eq', 'ne', 'lt', 'le'] as const) VECTOR[`b ${o} f32`] = [`f32x4.${o}`];
for (const o of ['add', 'sub', 'mul', 'neg', 'abs'] as const) VECTOR[`i32 ${o}`] = [`i32x4.${o}`];
for (const o of ['eq', 'ne'] as const) {
  VECTOR[`b ${o} i32`] = [`i32x4.${o}`];
  VECTOR[`b ${o} b`] = [`i32x4.${o}`];
}
for (const o of ['and', 'or', 'xor'] as const) {
  VECTOR[`i32 ${o}`] = [`v128.${o}`];
  VECTOR[`b ${o} b`] = [`v128.${o}`];
}
