// tenon convert IN OUT: tensors from one format to another, by the ending of OUT.

import { load, loadTensors, save } from '../io/index.ts';
import { defineCommand, UsageError } from './command.ts';
import { columns } from './terminal.ts';

export const convert = defineCommand({
  name: 'convert',
  takes: 'IN OUT',
  about: {
    en: 'Tensors from one format to another: .safetensors, .pth, .pt, .npz, .npy',
    zh: '转换张量文件的格式：.safetensors、.pth、.pt、.npz、.npy',
  },
  options: {},
  examples: [
    ['tenon convert model.pth model.safetensors', { en: 'from PyTorch', zh: '从 PyTorch 转出' }],
    ['tenon convert weights.safetensors weights.pth', { en: 'to PyTorch', zh: '转给 PyTorch' }],
  ],
  async run(values, rest, terminal) {
    if (rest.length !== 2)
      throw new UsageError(`convert: a file and its new name are needed, got ${rest.length}`);
    const [from, to] = rest as [string, string];
    if (!/\.(safetensors|pth|pt|npz|npy)$/i.test(to))
      throw new UsageError(`convert: OUT ends with .safetensors, .pth, .pt, .npz or .npy, got '${to}'`);
    // PyTorch's files hold plain data too; the others tensors by name, or one.
    const keepsAll = /\.(pth|pt)$/i.test(to);
    const tensors = await loadTensors(from);
    const names = Object.keys(tensors);
    if (/\.npy$/i.test(to) && names.length !== 1)
      throw new UsageError(`convert: .npy holds one tensor, ${from} has ${names.length}; use .npz`);
    await save(to, keepsAll ? await load(from) : /\.npy$/i.test(to) ? tensors[names[0]!] : tensors);
    if (values.json) terminal.print(JSON.stringify({ from, to, tensors: names.length }));
    else
      terminal.print(
        columns([
          [
            terminal.say({ en: 'written', zh: '已写入' }),
            to,
            `${names.length} ${terminal.say({ en: 'tensors', zh: '个张量' })}`,
          ],
        ]),
      );
    return 0;
  },
});
