// tenon/text: texts, tokens, word vectors, language models.

import '../platform.ts';

export {
  bpttLoader,
  documentLoader,
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
export {
  type CorpusLanguage,
  ROLES,
  type RoleSentence,
  smallCorpus,
  smallReviews,
  smallWords,
  swappedPairs,
  whoDoesIt,
} from './corpora.ts';
export {
  chinesePoems,
  folds,
  givenNames,
  hotelReviews,
  type ImdbOptions,
  type ImdbReview,
  imdb,
  type LabelledText,
  movieReviews,
  type Poem,
  type PoemCollection,
  parsePoems,
  parseReviews,
  parseTsv,
  readText,
  type Split3,
  type SplitFile,
  splitReviews,
  splitText,
  sst2,
  sstTrees,
  tinyShakespeare,
  waimaiReviews,
} from './datasets.ts';
export { hiddenMatrix } from './hidden-attention.ts';
export { fromHuggingFace, type HuggingFaceOptions } from './hugging-face.ts';
export { type LlamaFile, parseLlamaFile } from './llama-file.ts';
export { LlamaTokenizer } from './llama-tokenizer.ts';
export { BagClassifier, type BagOptions } from './models/bag-classifier.ts';
export { BigramLM } from './models/bigram.ts';
export type { Past } from './models/cached-reader.ts';
export { ConvClassifier, type ConvOptions } from './models/conv-classifier.ts';
export { Forecaster, type ForecasterOptions } from './models/forecaster.ts';
export { GPT, GPT2_SIZES, type GPTOptions } from './models/gpt.ts';
export type { LanguageModel } from './models/language-model.ts';
export { Llama, type LlamaOptions } from './models/llama.ts';
export { MambaLM, type MambaLMOptions } from './models/mamba-lm.ts';
export {
  type RecurrentKind,
  RecurrentLM,
  type RecurrentLMOptions,
  type RecurrentState,
} from './models/recurrent-lm.ts';
export { RecurrentNet, type RecurrentNetOptions, startKeeping } from './models/recurrent-net.ts';
export {
  BiLSTMClassifier,
  MambaClassifier,
  type SequenceOptions,
  TransformerClassifier,
} from './models/sequence-classifiers.ts';
export { SkipGram, skipGramPairs } from './models/skip-gram.ts';
export { Tagger, type TaggerOptions } from './models/tagger.ts';
export { type Memory, type Translated, Translator, type TranslatorOptions } from './models/translator.ts';
export { type CountedOptions, countedVectors } from './ppmi.ts';
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
export { type SentenceSteps, sentenceSteps } from './steps.ts';
export { type GateValues, gatesThroughTime, gradientsThroughTime } from './through-time.ts';
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
export { type PhraseOptions, parseTrees, type SentimentTree, treePhrases } from './trees.ts';
export { decodeUtf8, encodeUtf8, type Utf8Options, validLength } from './utf8.ts';
export {
  parseWordVectors,
  readWordVectors,
  type VectorFileOptions,
  type VectorFormat,
} from './vector-files.ts';
export { cosine, type NearestOptions, type Neighbour, pca, WordVectors } from './vectors.ts';
export { Vocab, type VocabOptions } from './vocab.ts';
export { splitBert, type WordPieceEncoding, type WordPieceOptions, WordPieceTokenizer } from './wordpiece.ts';
