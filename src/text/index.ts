// tenon/text: texts, tokens, word vectors, language models.

import '../platform.ts';

export {
  bpttLoader,
  type Labelled,
  LabelledTexts,
  LanguageWindows,
  type Padded,
  type PadIdsOptions,
  padIds,
  type TextLoaderOptions,
  textLoader,
  type WindowOptions,
} from './batches.ts';
export { type BpeOptions, BpeTokenizer, type BpeTraining, type Merge } from './bpe.ts';
export { fromHuggingFace, type HuggingFaceOptions } from './hugging-face.ts';
export {
  type GenerateOptions,
  generate,
  type NextLogits,
  type SamplingOptions,
  sampleToken,
  streamText,
  type TokenProbs,
  tokenProbs,
} from './sampling.ts';
export {
  CharTokenizer,
  type Split,
  type SplitOptions,
  splitChars,
  splitSpaces,
  splitWords,
  type Tokenizer,
  WordTokenizer,
} from './tokenizer.ts';
export { decodeUtf8, encodeUtf8, type Utf8Options, validLength } from './utf8.ts';
export { Vocab, type VocabOptions } from './vocab.ts';
export { splitBert, type WordPieceEncoding, type WordPieceOptions, WordPieceTokenizer } from './wordpiece.ts';
