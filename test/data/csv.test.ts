// Comma-separated values: what is read, and where errors point to.

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseCsv, readTable } from '../../src/data/index.ts';
import { numbers } from '../support.ts';

const columns = (text: string | Uint8Array, options = {}) => {
  const t = parseCsv(text, options);
  return Object.fromEntries(t.names.map(n => [n, Array.from(t.column(n) as string[])]));
};

describe('parseCsv', () => {
  it('finds the types of columns', () => {
    expect(columns('age,name,score\n3,Ann,1.5\n-4,Bob,\n+5e1,NA,NaN\n')).toEqual({
      age: [3, -4, 50],
      name: ['Ann', 'Bob', 'NA'],
      score: [1.5, Number.NaN, Number.NaN],
    });
  });
  it('reads quoted fields, any line break, a byte order mark, spaces around numbers, blank lines', () => {
    const text = '\ufeff"a ""b""",c\r\n"x,y\nz", 1 \r\r\n"", .5\n\n"q""","1e3"';
    expect(columns(text)).toEqual({ 'a "b"': ['x,y\nz', '', 'q"'], c: [1, 0.5, 1000] });
    expect(columns(new TextEncoder().encode('名,值\n榫,1\n'))).toEqual({ 名: ['榫'], 值: [1] });
    expect(columns('a;b\n1;2', { delimiter: ';' })).toEqual({ a: [1], b: [2] });
    expect(columns('1\t2\n', { delimiter: '\t', header: false })).toEqual({ column1: [1], column2: [2] });
    expect(columns('1,x', { header: false, names: ['n', 't'] })).toEqual({ n: [1], t: ['x'] });
    expect(columns('a,b\n')).toEqual({ a: [], b: [] });
    expect(columns('a\nit"s')).toEqual({ a: ['it"s'] });
    expect(parseCsv('').names).toEqual([]);
  });
  it('keeps to given types', () => {
    const types = { ok: 'boolean', n: 'integer', t: 'text', x: 'number' } as const;
    expect(columns('ok,n,t,x\nTrue,3,1,?\nno,-1,2,4\n', { types, missing: ['?'] })).toEqual({
      ok: [1, 0],
      n: [3, -1],
      t: ['1', '2'],
      x: [Number.NaN, 4],
    });
  });
  it('points to line and column of what is wrong', () => {
    const error =
      (text: string, options = {}) =>
      () =>
        parseCsv(text, { file: 'f.csv', ...options });
    expect(error('a,b\n1,2\n\n3\n')).toThrow(
      'parseCsv: f.csv: every row must have 2 fields, as the first has, got 1 at line 4, column 1',
    );
    expect(error('a,b\n1,2,3\n')).toThrow('got 3 at line 2, column 3');
    expect(error('a,b\n"1\n2",3\n4,"x\n')).toThrow(
      'a quoted field must be closed, got the end of the text at line 4, character 3',
    );
    expect(error('a,b\n"1"2,3\n')).toThrow(
      "after a quoted field must come ',' or the end of the line, got '2' at line 2, character 4",
    );
    expect(error('a,b\n1,2\n"x\ny",z\n', { types: { b: 'number' } })).toThrow(
      "f.csv: values must be numbers, got 'z' at line 3, column 2 ('b')",
    );
    expect(error('a\n1.5\n', { types: { a: 'integer' } })).toThrow(
      "must be integers, got '1.5' at line 2, column 1",
    );
    expect(error('a,b\n1,2\n1,\n', { types: { b: 'integer' } })).toThrow('got nothing at line 3, column 2');
    expect(error('a\nmaybe\n', { types: { a: 'boolean' } })).toThrow(
      "must be true or false, got 'maybe' at line 2",
    );
    expect(error('a,a\n1,2\n')).toThrow("names of columns must differ, got 'a' twice");
    expect(error('a\n1\n', { types: { z: 'number' } })).toThrow("columns are a, got 'z'");
    expect(error('1,2', { header: false, names: ['a'] })).toThrow('there must be 2 names, got 1');
    expect(error('a', { delimiter: ',,' })).toThrow("must be one character, no quote, got ',,'");
    expect(() => parseCsv(new Uint8Array([0x61, 0xff]))).toThrow(
      'parseCsv: the text must be UTF-8, got other bytes',
    );
  });
});

describe('Table', () => {
  const t = parseCsv('x,y,kind\n1,2,b\n3,4,a\n5,,b\n');
  it('gives tensors and classes', () => {
    expect(t.length).toBe(3);
    const x = t.tensor(['y', 'x']);
    expect([x.shape, numbers(x)]).toEqual([
      [3, 2],
      [2, 1, 4, 3, Number.NaN, 5],
    ]);
    const { y, classes } = t.classes('kind');
    expect([classes, y.dtype, numbers(y)]).toEqual([['a', 'b'], 'int64', [1, 0, 1]]);
    expect(parseCsv('k\n10\n9\n10\n').classes('k').classes).toEqual(['9', '10']);
  });
  it('refuses texts as numbers and unknown columns', () => {
    expect(() => t.tensor()).toThrow(
      "Table.tensor: columns must hold numbers, got texts in 'kind'. use classes()",
    );
    expect(() => t.column('z')).toThrow("Table: columns are x, y, kind, got 'z'");
  });
});

const root = resolve(import.meta.dirname, '../../../shared/data');
describe.skipIf(!existsSync(root))('real tables (needs ../shared/data)', () => {
  it('have the rows and columns that their sources state', async () => {
    const iris = await readTable('tabular/iris.csv', { root, header: false });
    expect([iris.length, iris.names.length]).toEqual([150, 5]);
    const { y, classes } = iris.classes('column5');
    expect([classes.length, numbers(y.bincount())]).toEqual([3, [50, 50, 50]]);
    const homes = await readTable('tabular/california-housing.csv', { root });
    expect(homes.length).toBe(20_640);
    const rooms = homes.column('total_bedrooms') as Float64Array;
    expect(rooms.filter(Number.isNaN).length).toBe(207);
    expect(homes.column('ocean_proximity')).toContain('NEAR BAY');
    const titanic = await readTable('tabular/titanic-train.csv', { root });
    expect(titanic.length).toBe(891);
    expect((titanic.column('Name') as string[])[0]).toBe('Braund, Mr. Owen Harris');
    const etth = await readTable('timeseries/ETTh1.csv', { root });
    expect([etth.length, etth.names.length]).toEqual([17_420, 8]);
    const hotels = await readTable('chnsenticorp/ChnSentiCorp_htl_all.csv', { root });
    expect([hotels.length, numbers(hotels.classes('label').y.bincount())]).toEqual([7766, [2444, 5322]]);
    await expect(readTable('tabular/none.csv', { root })).rejects.toThrow(
      'readTable: tabular/none.csv must be in',
    );
  });
});
