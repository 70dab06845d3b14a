// tenon/io: tensors and plain data to files and back.

// What readers make are tensors: their class must be there, also to who imports nothing else.
import '../tensor/tensor.ts';

export {
  checkpointBytes,
  latestCheckpoint,
  loadCheckpoint,
  saveCheckpoint,
  saveCheckpointFile,
  type Tree,
} from './checkpoint.ts';
export { readBytes, type Source, writeFileAtomic } from './files.node.ts';
export { type Format, formatOf, load, loadTensors, save, tensorsOf } from './load.ts';
export { npyBytes, npzBytes, npzChunks, parseNpy, parseNpz } from './npy.ts';
export { parsePth, pthBytes, pthChunks } from './pth.ts';
export { parseSafetensors, type Safetensors, safetensorsBytes, safetensorsChunks } from './safetensors.ts';
