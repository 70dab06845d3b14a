// tenon/io: tensors and plain data to files and back.

export {
  checkpointBytes,
  latestCheckpoint,
  loadCheckpoint,
  saveCheckpoint,
  saveCheckpointFile,
} from './checkpoint.ts';
export { readBytes, type Source, writeFileAtomic } from './files.node.ts';
export { parsePth, pthBytes, pthChunks } from './pth.ts';
export { parseSafetensors, type Safetensors, safetensorsBytes, safetensorsChunks } from './safetensors.ts';
