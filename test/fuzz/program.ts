// The programs of the program-order fuzz: a list of statements over named tensors, as data.
// In: nothing. Out: the types, and a text that reads like the TypeScript it stands for.

export type Shape = readonly number[];
/** A tensor by name, a number, or a number argument of the block by name. */
export type Operand = string | number;

export type Unary = 'neg' | 'relu' | 'square' | 'abs' | 'clone' | 'tanh' | 'exp' | 'sigmoid';
export type Binary = 'add' | 'sub' | 'mul' | 'maximum' | 'minimum';
export type InPlace =
  | 'add_'
  | 'sub_'
  | 'mul_'
  | 'copy_'
  | 'fill_'
  | 'zero_'
  | 'relu_'
  | 'clamp_'
  | 'maskedFill_';

export type ViewSpec =
  | { readonly kind: 'narrow'; readonly dim: number; readonly start: number; readonly length: number }
  | { readonly kind: 'select'; readonly dim: number; readonly index: number }
  | { readonly kind: 'transpose' }
  | { readonly kind: 'reshape'; readonly shape: Shape }
  | { readonly kind: 'every'; readonly start: number; readonly step: number }
  | { readonly kind: 'expand'; readonly shape: Shape }
  | { readonly kind: 'diagonal' }
  | { readonly kind: 'detach' };

export interface OptimizerSpec {
  readonly kind: 'SGD' | 'Adam';
  readonly lr: number;
  readonly momentum?: number;
  readonly nesterov?: boolean;
  readonly weightDecay?: number;
}

export type Statement =
  | {
      readonly k: 'tensor';
      readonly out: string;
      readonly shape: Shape;
      readonly data: readonly number[];
      readonly grad: boolean;
    }
  | { readonly k: 'unary'; readonly out: string; readonly f: Unary; readonly a: string }
  | {
      readonly k: 'binary';
      readonly out: string;
      readonly f: Binary;
      readonly a: string;
      readonly b: Operand;
    }
  | { readonly k: 'where'; readonly out: string; readonly a: string; readonly b: string; readonly c: string }
  | { readonly k: 'matmul'; readonly out: string; readonly a: string; readonly b: string }
  | {
      readonly k: 'reduce';
      readonly out: string;
      readonly f: 'sum' | 'mean';
      readonly a: string;
      readonly dim: number | null;
      readonly keepdim: boolean;
    }
  | { readonly k: 'softmax'; readonly out: string; readonly a: string }
  | { readonly k: 'nll'; readonly out: string; readonly a: string; readonly labels: string }
  | { readonly k: 'cat'; readonly out: string; readonly a: string; readonly b: string; readonly dim: number }
  | { readonly k: 'rows'; readonly out: string; readonly a: string; readonly rows: readonly number[] }
  | { readonly k: 'view'; readonly out: string; readonly a: string; readonly view: ViewSpec }
  | {
      readonly k: 'inplace';
      readonly f: InPlace;
      readonly a: string;
      readonly b: Operand;
      readonly noGrad: boolean;
    }
  | {
      readonly k: 'setRows';
      readonly a: string;
      readonly rows: readonly number[];
      readonly b: Operand;
      readonly accumulate: boolean;
      readonly noGrad: boolean;
    }
  | { readonly k: 'shift'; readonly a: string; readonly back: boolean }
  | { readonly k: 'swap'; readonly a: string; readonly b: string }
  | { readonly k: 'backward'; readonly a: string; readonly retain: boolean }
  | { readonly k: 'grad'; readonly out: string; readonly a: string }
  | { readonly k: 'dropGrad'; readonly a: string }
  | { readonly k: 'descend'; readonly a: string; readonly lr: Operand }
  | {
      readonly k: 'optimizer';
      readonly out: string;
      readonly params: readonly string[];
      readonly spec: OptimizerSpec;
    }
  | { readonly k: 'step'; readonly a: string }
  | { readonly k: 'zeroGrad'; readonly a: string }
  | { readonly k: 'lr'; readonly a: string; readonly value: number }
  | { readonly k: 'rand'; readonly out: string; readonly shape: Shape }
  | { readonly k: 'dropout'; readonly out: string; readonly a: string }
  | { readonly k: 'freeze'; readonly a: string; readonly on: boolean }
  | { readonly k: 'if'; readonly yes: readonly Statement[]; readonly no: readonly Statement[] }
  | { readonly k: 'read'; readonly a: string }
  | Call;

/** A call of a block. Bad calls throw when compiled, and must leave no trace; the other ways leave them out. */
export interface Call {
  readonly k: 'call';
  readonly block: number;
  readonly args: readonly Argument[];
  readonly train: boolean;
  readonly bad: null | { readonly kind: 'throw'; readonly at: number } | { readonly kind: 'label' };
}
export type Argument =
  | { readonly kind: 'tensor'; readonly name: string }
  | { readonly kind: 'data'; readonly shape: Shape; readonly data: readonly number[] }
  | { readonly kind: 'labels'; readonly data: readonly number[] }
  | { readonly kind: 'number'; readonly value: number };

/** A piece of program that is one compiled function in one of the ways, and is called again and again. */
export interface Block {
  readonly params: readonly string[];
  readonly body: readonly Statement[];
  readonly returns: readonly string[];
}
export interface Program {
  readonly seed: number;
  readonly blocks: readonly Block[];
  readonly body: readonly Statement[];
}

// ---- text -------------------------------------------------------------------------------------------------------------

const list = (x: readonly unknown[]): string => `[${x.join(', ')}]`;
function viewText(v: ViewSpec): string {
  switch (v.kind) {
    case 'narrow':
      return `narrow(${v.dim}, ${v.start}, ${v.length})`;
    case 'select':
      return `select(${v.dim}, ${v.index})`;
    case 'transpose':
      return 'T';
    case 'reshape':
      return `reshape(${list(v.shape)})`;
    case 'every':
      return `at(range(${v.start}, null, ${v.step}))`;
    case 'expand':
      return `expand(${list(v.shape)})`;
    case 'diagonal':
      return 'diagonal()';
    case 'detach':
      return 'detach()';
  }
}
function argumentText(a: Argument): string {
  if (a.kind === 'tensor') return a.name;
  if (a.kind === 'number') return String(a.value);
  const data = list(a.data);
  return a.kind === 'labels' ? `labels(${data})` : `tensor(${data}, ${list(a.shape)})`;
}
/** One statement as TypeScript, nearly. */
export function textOf(s: Statement): string {
  switch (s.k) {
    case 'tensor':
      return `${s.out} = tensor(${list(s.data)}, {shape: ${list(s.shape)}${s.grad ? ', requiresGrad: true' : ''}})`;
    case 'unary':
      return `${s.out} = ${s.a}.${s.f}()`;
    case 'binary':
      return `${s.out} = ${s.a}.${s.f}(${s.b})`;
    case 'where':
      return `${s.out} = ${s.b}.where(${s.a}.gt(0), ${s.c})`;
    case 'matmul':
      return `${s.out} = ${s.a}.matmul(${s.b})`;
    case 'reduce':
      return `${s.out} = ${s.a}.${s.f}(${s.dim}, {keepdim: ${s.keepdim}})`;
    case 'softmax':
      return `${s.out} = ${s.a}.softmax(-1)`;
    case 'nll':
      return `${s.out} = F.crossEntropy(${s.a}, ${s.labels})`;
    case 'cat':
      return `${s.out} = cat([${s.a}, ${s.b}], ${s.dim})`;
    case 'rows':
      return `${s.out} = ${s.a}.at(${list(s.rows)})`;
    case 'view':
      return `${s.out} = ${s.a}.${viewText(s.view)}`;
    case 'inplace': {
      const arg = s.f === 'zero_' || s.f === 'relu_' ? '' : s.f === 'clamp_' ? '-1, 1' : String(s.b);
      const call =
        s.f === 'maskedFill_' ? `${s.a}.maskedFill_(${s.a}.gt(0), ${s.b})` : `${s.a}.${s.f}(${arg})`;
      return s.noGrad ? `noGrad(() => ${call})` : call;
    }
    case 'setRows': {
      const index = `[tensor(${list(s.rows)})]`;
      const call = s.accumulate
        ? `${s.a}.indexPut_(${index}, ${s.b}, {accumulate: true})`
        : `${s.a}.set(${index}, ${s.b})`;
      return s.noGrad ? `noGrad(() => ${call})` : call;
    }
    case 'shift':
      return s.back
        ? `noGrad(() => ${s.a}.at(range(null, -1)).copy_(${s.a}.at(range(1))))`
        : `noGrad(() => ${s.a}.at(range(1)).copy_(${s.a}.at(range(null, -1))))`;
    case 'swap':
      return `noGrad(() => { const [x, y] = [${s.a}.mul(1), ${s.b}.mul(1)]; ${s.a}.copy_(y); ${s.b}.copy_(x); })`;
    case 'backward':
      return `${s.a}.backward(null, {retainGraph: ${s.retain}})`;
    case 'grad':
      return `${s.out} = ${s.a}.grad`;
    case 'dropGrad':
      return `${s.a}.grad = null`;
    case 'descend':
      return `noGrad(() => ${s.a}.sub_(${s.a}.grad.mul(${s.lr})))`;
    case 'optimizer':
      return `${s.out} = new ${s.spec.kind}(${list(s.params)}, ${JSON.stringify(s.spec)})`;
    case 'step':
      return `${s.a}.step()`;
    case 'zeroGrad':
      return `${s.a}.zeroGrad()`;
    case 'lr':
      return `${s.a}.paramGroups[0].lr = ${s.value}`;
    case 'rand':
      return `${s.out} = rand(${list(s.shape)})`;
    case 'dropout':
      return `${s.out} = ${s.a}.mul(rand(${s.a}.shape).gt(0.5)).mul(2)`;
    case 'freeze':
      return `${s.a}.requiresGrad_(${!s.on})`;
    case 'if':
      return `if (train) { ${s.yes.map(textOf).join('; ')} } else { ${s.no.map(textOf).join('; ')} }`;
    case 'read':
      return `read(${s.a})`;
    case 'call': {
      const bad =
        s.bad === null ? '' : s.bad.kind === 'throw' ? `  // throws at ${s.bad.at}` : '  // a bad label';
      return `f${s.block}(${s.train}, ${s.args.map(argumentText).join(', ')})${bad}`;
    }
  }
}
export function programText(p: Program): string {
  const lines = [`manualSeed(${p.seed});`];
  p.blocks.forEach((b, i) => {
    lines.push(`const f${i} = compile((train, ${b.params.join(', ')}) => {`);
    for (const s of b.body) lines.push(`  ${textOf(s)};`);
    lines.push(`  return [${b.returns.join(', ')}];`, '});');
  });
  for (const s of p.body) lines.push(`${textOf(s)};`);
  return lines.join('\n');
}
