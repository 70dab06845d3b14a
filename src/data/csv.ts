// Comma-separated values (RFC 4180): a table of typed columns.
// In: text or bytes. Out: columns of numbers and texts, tensors of them. Errors name line and column.

import { FileError, show, ValueError } from '../base/errors.ts';
import { adopt } from '../tensor/create.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { dataFolder, readDataFile } from './files.node.ts';
import type { FileOptions } from './files.ts';

/** 'boolean' takes true/false, yes/no, 1/0 and gives 1/0; numbers that are missing are NaN. */
export type ColumnType = 'number' | 'integer' | 'boolean' | 'text';

export interface CsvOptions {
  /** The first row has the names of the columns. Default true. */
  readonly header?: boolean;
  /** Names of the columns where there is no header. Default: column1, column2, … */
  readonly names?: readonly string[];
  /** Default ','. */
  readonly delimiter?: string;
  /** Types of columns by name. Default: number where every value is one or missing, else text. */
  readonly types?: Readonly<Record<string, ColumnType>>;
  /** What stands for a missing number. Default: nothing, NA, N/A, NaN, nan, null, NULL. */
  readonly missing?: readonly string[];
  /** What errors call the file. Default 'the text'. */
  readonly file?: string;
}

const MISSING = ['', 'NA', 'N/A', 'NaN', 'nan', 'null', 'NULL'];
const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
const BOOLEANS: Readonly<Record<string, number>> = { true: 1, false: 0, yes: 1, no: 0, 1: 1, 0: 0 };

type Column = Float64Array | readonly string[];

/** Rows of a file by named columns. */
export class Table {
  readonly names: readonly string[];
  readonly length: number;
  private readonly columns: ReadonlyMap<string, Column>;
  constructor(columns: ReadonlyMap<string, Column>, length: number) {
    this.names = [...columns.keys()];
    this.length = length;
    this.columns = columns;
  }
  /** The values of a column: numbers, or texts. */
  column(name: string): Column {
    const c = this.columns.get(name);
    if (c === undefined)
      throw new ValueError('Table', `columns are ${this.names.join(', ')}`, show(name), '');
    return c;
  }
  /** Number columns side by side, float32. Shape: (rows, names). Errors: a column of texts. */
  tensor(names: readonly string[] = this.names): Tensor {
    const out = new Float32Array(this.length * names.length);
    names.forEach((name, j) => {
      const c = this.column(name);
      if (!(c instanceof Float64Array))
        throw new ValueError(
          'Table.tensor',
          'columns must hold numbers',
          `texts in ${show(name)}`,
          'use classes()',
        );
      for (let i = 0; i < this.length; i++) out[i * names.length + j] = c[i]!;
    });
    return adopt(out, [this.length, names.length], 'float32');
  }
  /** A column as class numbers, int64 (rows), and the classes in ascending order. */
  classes(name: string): { y: Tensor; classes: readonly string[] } {
    const c = this.column(name);
    const distinct =
      c instanceof Float64Array ? new Set([...c].sort((a, b) => a - b)) : new Set([...c].sort());
    const classes = [...distinct].map(String);
    const number = new Map(classes.map((k, i) => [k, BigInt(i)]));
    const y = BigInt64Array.from(c as ArrayLike<unknown>, v => number.get(String(v))!);
    return { y: adopt(y, [this.length], 'int64'), classes };
  }
}

interface Row {
  /** Line on which the row begins, from 1 on. */
  readonly line: number;
  readonly fields: string[];
}

/** Cuts text into rows of fields; blank lines are left out. */
class Rows {
  private readonly text: string;
  private readonly delimiter: string;
  private readonly file: string;
  private at = 0;
  private line = 1;
  private lineStart = 0;

  constructor(text: string, delimiter: string, file: string) {
    this.text = text;
    this.delimiter = delimiter;
    this.file = file;
    if (text.charCodeAt(0) === 0xfeff) this.at = this.lineStart = 1;
  }
  *[Symbol.iterator](): Iterator<Row> {
    while (this.at < this.text.length) {
      if (this.lineBreak()) continue;
      yield { line: this.line, fields: this.row() };
    }
  }
  private row(): string[] {
    const fields: string[] = [];
    for (;;) {
      fields.push(this.text[this.at] === '"' ? this.quoted() : this.plain());
      if (this.at >= this.text.length || this.lineBreak()) return fields;
      this.at++;
    }
  }
  /** Goes over a line break: \n, \r\n or \r. */
  private lineBreak(): boolean {
    const c = this.text[this.at];
    if (c !== '\n' && c !== '\r') return false;
    this.at += c === '\r' && this.text[this.at + 1] === '\n' ? 2 : 1;
    this.line++;
    this.lineStart = this.at;
    return true;
  }
  private atEnd(): boolean {
    const c = this.text[this.at];
    return c === undefined || c === this.delimiter || c === '\n' || c === '\r';
  }
  private plain(): string {
    const from = this.at;
    while (!this.atEnd()) this.at++;
    return this.text.slice(from, this.at);
  }
  private quoted(): string {
    const { line } = this;
    const place = this.at - this.lineStart + 1;
    let out = '';
    for (let from = ++this.at; ; ) {
      const c = this.text[this.at];
      if (c === undefined)
        throw refuse(
          this.file,
          'a quoted field must be closed',
          `the end of the text`,
          line,
          `character ${place}`,
        );
      if (c === '"') {
        out += this.text.slice(from, this.at++);
        if (this.text[this.at] !== '"') break;
        from = this.at++;
      } else if (!this.lineBreak()) this.at++;
    }
    if (this.atEnd()) return out;
    const got = show(this.text[this.at]);
    const rule = `after a quoted field must come ${show(this.delimiter)} or the end of the line`;
    throw refuse(this.file, rule, got, this.line, `character ${this.at - this.lineStart + 1}`);
  }
}

function refuse(file: string, rule: string, got: string, line: number, place: string): FileError {
  return new FileError('parseCsv', `${file}: ${rule}`, `${got} at line ${line}, ${place}`, '');
}

/**
 * Reads comma-separated values: quoted fields ("" is a quote, line breaks may be inside), \n, \r\n or \r, UTF-8 with or
 * without byte order mark. Errors: FileError with line and column, for rows of another length, open quotes, values that
 * are not of their column's type, names that come twice.
 */
export function parseCsv(text: string | Uint8Array, options: CsvOptions = {}): Table {
  const { header = true, delimiter = ',', file = 'the text' } = options;
  if (delimiter.length !== 1 || '"\r\n'.includes(delimiter))
    throw new ValueError('parseCsv', 'the delimiter must be one character, no quote', show(delimiter), '');
  const rows = [...new Rows(typeof text === 'string' ? text : decode(text, file), delimiter, file)];
  const width = rows[0]?.fields.length ?? options.names?.length ?? 0;
  const odd = rows.find(r => r.fields.length !== width);
  if (odd !== undefined)
    throw refuse(
      file,
      `every row must have ${width} fields, as the first has`,
      `${odd.fields.length}`,
      odd.line,
      `column ${Math.min(odd.fields.length, width) + (odd.fields.length > width ? 1 : 0)}`,
    );
  const names = header ? (rows.shift()?.fields ?? []) : (options.names ?? defaultNames(width));
  checkNames(names, width, options);
  const columns = new Map(names.map((name, j) => [name, readColumn(rows, j, name, options)]));
  return new Table(columns, rows.length);
}
const defaultNames = (n: number): string[] => Array.from({ length: n }, (_, j) => `column${j + 1}`);

function decode(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new FileError('parseCsv', `${file} must be UTF-8`, 'other bytes', 'convert it first');
  }
}
function checkNames(
  names: readonly string[],
  width: number,
  { types = {}, file = 'the text' }: CsvOptions,
): void {
  if (names.length !== width)
    throw new ValueError('parseCsv', `${file}: there must be ${width} names`, String(names.length), '');
  const twice = names.find((n, j) => names.indexOf(n) !== j);
  if (twice !== undefined)
    throw new FileError('parseCsv', `${file}: names of columns must differ`, `${show(twice)} twice`, '');
  const unknown = Object.keys(types).find(n => !names.includes(n));
  if (unknown !== undefined)
    throw new ValueError('parseCsv', `${file}: columns are ${names.join(', ')}`, show(unknown), '');
}

function readColumn(rows: readonly Row[], j: number, name: string, options: CsvOptions): Column {
  const { missing = MISSING, file = 'the text' } = options;
  const gaps = new Set(missing);
  const isNumber = (v: string): boolean => NUMBER.test(v.trim());
  const fields = rows.map(r => r.fields[j]!);
  const type =
    options.types?.[name] ??
    (fields.some(isNumber) && fields.every(v => gaps.has(v.trim()) || isNumber(v)) ? 'number' : 'text');
  if (type === 'text') return fields;
  const out = new Float64Array(rows.length);
  fields.forEach((field, i) => {
    const v = field.trim();
    const bad = (rule: string): never => {
      const place = `column ${j + 1} (${show(name)})`;
      throw refuse(file, rule, v === '' ? 'nothing' : show(v), rows[i]!.line, place);
    };
    if (type === 'boolean') out[i] = BOOLEANS[v.toLowerCase()] ?? bad('values must be true or false');
    else if (isNumber(v)) {
      out[i] = Number(v);
      if (type === 'integer' && !Number.isInteger(out[i])) bad('values must be integers');
    } else if (type === 'integer') bad('values must be integers');
    else if (gaps.has(v)) out[i] = Number.NaN;
    else bad('values must be numbers');
  });
  return out;
}

/** Reads a CSV file of the data folder, such as 'tabular/iris.csv'. */
export async function readTable(path: string, options: CsvOptions & FileOptions = {}): Promise<Table> {
  const bytes = await readDataFile(path, options);
  if (bytes === null)
    throw new FileError(
      'readTable',
      `${path} must be in the data folder ${options.root ?? dataFolder()}`,
      'none',
      'name the folder that has it with TENON_DATA',
    );
  return parseCsv(bytes, { file: path, ...options });
}
