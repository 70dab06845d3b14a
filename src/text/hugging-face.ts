// tokenizer.json of Hugging Face, read by the optional package @huggingface/tokenizers.
// In: the texts of tokenizer.json and tokenizer_config.json. Out: a tokenizer. The package is loaded when it is needed.

import { DeviceError, FileError, show, ValueError } from '../base/errors.ts';
import type { Tokenizer } from './tokenizer.ts';
import { parsed } from './vocab.ts';

/** What is used of the package. */
interface Package {
  readonly Tokenizer: new (
    tokenizer: object,
    config: object,
  ) => {
    encode(text: string, options: { add_special_tokens: boolean }): { readonly ids: readonly number[] };
    decode(ids: number[], options: { skip_special_tokens: boolean }): string;
    get_vocab(withAdded: boolean): ReadonlyMap<string, number>;
  };
}
const PACKAGE = '@huggingface/tokenizers';

export interface HuggingFaceOptions {
  /** The text of tokenizer_config.json. Default: an empty one. */
  readonly config?: string;
  /** Encode with the tokens that the model puts around a text, and decode them. Default false. */
  readonly special?: boolean;
  /** @internal Loads the package. */
  readonly load?: () => Promise<unknown>;
}

/**
 * A tokenizer from the text of tokenizer.json. Errors: DeviceError where the package is not installed, FileError where the
 * file is not what the package reads.
 */
export async function fromHuggingFace(json: string, options: HuggingFaceOptions = {}): Promise<Tokenizer> {
  const { config = '{}', special = false, load = () => import('@huggingface/tokenizers') } = options;
  const description = object(json, 'tokenizer.json');
  const settings = object(config, 'tokenizer_config.json');
  let found: Package;
  try {
    found = (await load()) as Package;
  } catch (e) {
    throw new DeviceError(
      'fromHuggingFace',
      `the package ${PACKAGE} must be installed`,
      (e as Error).message,
      `run npm install ${PACKAGE}`,
    );
  }
  return make(found, description, settings, special);
}
function object(text: string, file: string): object {
  const value = parsed(text, file);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new FileError('fromHuggingFace', `${file} must be an object`, show(value), '');
  return value;
}
function make(
  { Tokenizer: Made }: Package,
  description: object,
  settings: object,
  special: boolean,
): Tokenizer {
  try {
    const inner = new Made(description, settings);
    let highest = -1;
    const ids = new Set<number>();
    for (const id of inner.get_vocab(true).values()) {
      ids.add(id);
      highest = Math.max(highest, id);
    }
    return {
      vocabSize: highest + 1,
      encode: text => [...inner.encode(text, { add_special_tokens: special }).ids],
      decode: list => {
        const all = Array.from(list);
        const odd = all.find(id => !ids.has(id));
        if (odd !== undefined)
          throw new ValueError('Tokenizer.decode', `numbers are 0 … ${highest}`, show(odd), '');
        return inner.decode(all, { skip_special_tokens: !special });
      },
    };
  } catch (e) {
    throw new FileError(
      'fromHuggingFace',
      `tokenizer.json must be one that ${PACKAGE} reads`,
      (e as Error).message,
      '',
    );
  }
}
