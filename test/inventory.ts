// What the course's sources name, item by item, and where this repository has it: a test that proves it, a recipe that
// runs it, a page that tells it, or the open work that owes it. `npm run inventory` prints what is owed.
// One item a line: `id or text | link | link …`. A link is `recipe NAME`, `page FILE`, `owed WORK`, or `FOLDER/FILE: title`
// of a test or describe block (under test/, a trailing … stands for the rest). Checked by inventory.test.ts.

export type Link =
  | { readonly kind: 'test'; readonly file: string; readonly title: string }
  | { readonly kind: 'recipe' | 'page' | 'owed'; readonly name: string };
export interface Item {
  /** D1, M4, C10, errata 12; in lists without numbers the text itself. */
  readonly id: string;
  readonly about: string;
  readonly links: readonly Link[];
}
export interface Subject {
  readonly title: string;
  /** Section of the inventory. */
  readonly section: string;
  readonly items: readonly Item[];
}

function parseLink(text: string): Link {
  const word = /^(recipe|page|owed) (.+)$/.exec(text);
  if (word !== null) return { kind: word[1] as 'recipe' | 'page' | 'owed', name: word[2]! };
  const at = text.indexOf(': ');
  if (at < 0) throw new Error(`inventory: a link must be recipe, page, owed or FILE: title, got '${text}'`);
  return { kind: 'test', file: `test/${text.slice(0, at)}.test.ts`, title: text.slice(at + 2) };
}
/** Numbered items start with their id; others are their own id. */
function parse(section: string, title: string, numbered: RegExp | null, text: string): Subject {
  const items = text
    .trim()
    .split('\n')
    .map(line => {
      const [name, ...links] = line.split(' | ');
      const id = numbered === null ? name! : (numbered.exec(name!)?.[0] ?? name!);
      return {
        id,
        about: name!.slice(numbered === null ? 0 : id.length).trim(),
        links: links.map(parseLink),
      };
    });
  return { section, title, items };
}

export const INVENTORY: readonly Subject[] = [
  parse(
    '1.1',
    'data sets and generators',
    /^D\d+/,
    `
D1 7 points of f(x) = x | data/generators: gives 7 points on y = x around 0 | learn/missions: finds the line, and y(5) = 5 | recipe line
D2 points in a circle, triangle, square | data/generators: makeShape %s | cli/cli: takes settings, names metrics as everywhere, draws titles with the data mode | recipe circle | recipe triangle | recipe square
D3 the tables of AND and XOR | data/generators: truthTable gives the four rows | learn/classic: learns AND from 0 …
D4 two rings, shuffled and class by class | data/generators: makeRings | recipe rings
D5 states of TensorFlow Playground | data/surfaces: has its settings in its address | owed lab: import of a Playground address
D6 MNIST | data/idx: mnist | data/idx: the real files (needs ../shared/data)
D7 CIFAR-100 | recipe cifar100-resnet20 | vision/datasets: CIFAR
D8 a folder of images | vision/datasets: ImageFolder | page docs/vision.md
D9 binary sequences, parity | data/sequences: makeParity
D10 the marked bit; text as next-step prediction | data/sequences: makeRecall marks the first bit and asks for it | text/batches: x and y are one token apart | recipe char-bigram
D11 text for generation and sentiment | text/datasets: the real files (needs ../shared/data) | text/models: our own corpora | learn/text: 人咬狗 is told from 狗咬人 by the convolution alone | recipe word-order | recipe sst2-cnn | recipe hotel-bag
D12 word vectors | text/vectors: files of word vectors | text/vectors: one-hot vectors of different words are orthogonal, whatever the words; embeddings are not | recipe word-vectors
D13 one-dimensional series | text/sequences: series | recipe forecast | data/sequences: makeWaves gives the four forms
D14 two batches of five | data/surfaces: batchNormExample … | learn/numbers: two batches of five: …
D15 features on scales 1 and 1000 | data/surfaces: makeScales: … | learn/classic: features on scales 1 and 1000: …
D16 Rosenbrock, a narrow ravine | data/surfaces: surfaces | optim/path: descend | recipe optimizer-race
D17 random tensors (2, 3, 4, 4), (1, 64, 32, 32) | learn/layers: random pictures through layers
`,
  ),
  parse(
    '1.2',
    'models',
    /^M\d+/,
    `
M1 y = ax + b | learn/missions: mission 0 | recipe line
M2 a linear classifier fails on the circle | learn/missions: a linear classifier cannot do it | recipe linear
M3 five ReLU units fold a line | learn/missions: the folded line | recipe kinks
M4 2-4-4-2, ReLU, softmax, cross-entropy | learn/missions: mission 1 | learn/formulas: the network 2-4-4-2, rows X·W | recipe circle
M5 M-P neuron and perceptron | learn/classic: M-P neuron | learn/classic: perceptron
M6 ADALINE | learn/classic: ADALINE
M7 ADALINE with x₁x₂ on XOR | learn/classic: XOR with x₁x₂: …
M8 XOR by a 2-2-1 ReLU net | learn/classic: gives the rows that the text prints
M9 2-32-16-2 on rings | learn/missions: %s: median test accuracy of 5 seeds >= %f | recipe rings
M10 784-256-128-10 on MNIST | recipe mnist-mlp
M11 ŷ = w₂ tanh(w₁x + b₁) + b₂ | learn/formulas: scalar net …
M12 linear, scalar and vector RNN by hand | learn/numbers: h_T = wᵀ: … | learn/formulas: through time
M13 one switch RNN, GRU, LSTM | learn/memory: RecurrentNet | text/models: recurrent nets: the number of parameters does not depend on the length of the text, a state goes on | recipe race
M14 GRU and LSTM | nn/recurrent: a layer is its cell, step by step
M15 many to one, many to many | recipe sst2-bag | recipe polarity-cnn | text/tagger: tags that hang on both neighbours are found in 99 % | text/sequences: Translator | recipe tagging | recipe reversal
M16 LeNet, AlexNet, VGG, Inception, DenseNet | vision/models: published sizes | vision/models: outputs with the same weights are PyTorch's
M17 ResNet and its plain twin | vision/models: published sizes | vision/models: a plain network has the parameters … | vision/models: the plain counterpart of ResNet-18 adds nothing
M18 Transformer and Mamba | text/models: language models: %s | text/llama: writes the published story, token by token | recipe char-gpt | recipe char-mamba | recipe race | recipe growing-length
M19 MySimpleNet and its kin | learn/modules: a network of one’s own
M20 SVM, DBN, Conv1d, ResNeXt, ViT and others by name | learn/classic: linear classifiers | learn/classic: Boltzmann machines | vision/models: published sizes
`,
  ),
  parse(
    '1.3',
    'layers and operations',
    null,
    `
Linear row-major X·W (in×out) and column W·A (out×in) | learn/formulas: the network 2-4-4-2, rows X·W | learn/formulas: δˡ = (Wˡ⁺¹)ᵀ δˡ⁺¹ ⊙ f′; …
broadcast bias | learn/formulas: db3 = sum of dlogits over the batch
Flatten | nn/layers: every layer
Conv2d k/s/p | learn/formulas: cosine similarity, and a convolution gives ⌊(H + 2p − k)/s⌋ + 1 | learn/layers: random pictures through layers
Conv1d | learn/layers: Conv1d is the sum over the window: …
MaxPool2d/AvgPool2d | learn/numbers: pooling 2 × 2 … | learn/layers: max pooling keeps the strongest, …
global average pool | learn/layers: max pooling keeps the strongest, …
nearest/bilinear/bicubic | learn/layers: nearest copies, …
BatchNorm1d/2d | learn/formulas: BN: … | nn/layers: every layer
LayerNorm | learn/formulas: LN: … | nn/layers: every layer
Dropout | nn/random: zeros a share p of the elements and scales the others; eval changes nothing
Embedding | nn/layers: every layer
concat (channel) | learn/formulas: F(x) + x passes the gradient on; …
residual add | learn/formulas: F(x) + x passes the gradient on; …
softmax | learn/numbers: softmax of [2, 1, .1], …
ReLU(inplace) | nn/layers: every layer
RNN/GRU/LSTM cells | nn/recurrent: a layer is its cell, step by step
attention (mask, multi-head) | nn/attention: MultiheadAttention
positional encoding | nn/position: sinusoidalPositions | nn/position: rotary | nn/position: linearBiases: slopes 2^(−8h/H) times the distance, nothing of the future
selective scan | nn/mamba: selectiveScan
`,
  ),
  parse(
    '1.4',
    'activations',
    null,
    `
Heaviside | learn/numbers: AND with weights …
ReLU | ops/gradients: gradients of every op | learn/formulas: the ReLU mask
sigmoid | ops/gradients: gradients of every op | learn/numbers: BCE of …
softmax | learn/numbers: softmax of [2, 1, .1], …
tanh | ops/gradients: gradients of every op
LeakyReLU(.01) | nn/layers: every layer
SiLU x·σ(x) | learn/formulas: SiLU is x σ(x) …
GELU exact | learn/formulas: GELU: exact, …
≈xσ(1.702x) | learn/formulas: GELU: exact, …
≈tanh form | learn/formulas: GELU: exact, …
identity | nn/layers: every layer
ReLU 1[z>0] | learn/formulas: the ReLU mask
Leaky 1/α | nn/layers: every layer
σ'=a(1−a) | learn/formulas: σ′ = a(1 − a), …
tanh'=1−a² | learn/formulas: σ′ = a(1 − a), …
softmax Jacobian | learn/formulas: the softmax Jacobian …
`,
  ),
  parse(
    '1.5',
    'losses',
    null,
    `
MSE 1/n | learn/formulas: ∂L/∂a = 2/n …
1/(2N) | learn/formulas: δˡ = (Wˡ⁺¹)ᵀ δˡ⁺¹ ⊙ f′; …
½ single | learn/formulas: MSE with f: …
BCE | learn/numbers: BCE of …
CE with one-hot | learn/numbers: softmax of [2, 1, .1], …
BCEWithLogits | learn/numbers: BCE of …
CrossEntropy = LogSoftmax+NLL | nn/layers: every layer
stable softmax | learn/numbers: both plans for two classes …
log(p+1e-12) | learn/conventions: log(p + 1e-12) …
L2-penalised loss | optim/conventions: λ‖p‖² is twice ½λ‖p‖²
σ+BCE → ŷ−y | learn/formulas: softmax with cross-entropy: …
softmax+CE → p−y | learn/formulas: dlogits = (p − y) / m
σ+MSE → (a−t)a(1−a) | learn/formulas: MSE with f: …
identity+MSE → a−t | learn/formulas: MSE with f: …
Plan A (1 logit+σ+BCE) ≡ Plan B | learn/numbers: both plans for two classes …
Multi-label | learn/conventions: one sigmoid per label: …
`,
  ),
  parse(
    '1.6',
    'update rules',
    null,
    `
perceptron rule | learn/classic: perceptron
Widrow-Hoff batch + online | learn/classic: online and batch end at the same line; …
GD | learn/missions: a step of training is gradient descent on the cross-entropy, by hand | recipe line
mini-batch SGD | learn/missions: points per step: … | recipe batch-size
momentum ×3 forms | optim/rules: SGD | optim/conventions: momentum
Nesterov | optim/rules: SGD
Adagrad | optim/rules: Adagrad
RMSProp | optim/rules: RMSprop
Adam (1e-3, .9/.999, 1e-8) | optim/rules: Adam
AdamW | optim/rules: AdamW
gradient clipping | recipe clipping | nn/compiled: clipping in a step equals clipping outside | train/fit: clips: …
`,
  ),
  parse(
    '1.7',
    'schedules and training recipes',
    null,
    `
halve on plateau | optim/schedule: halves on a plateau
held-out monitor/ReduceLROnPlateau | optim/schedule: ReduceLROnPlateau
α_t=a/(b+t) | optim/schedule: InverseTimeLR a/(b + t)
cosine | optim/schedule: CosineAnnealingLR
linear/cosine warm-up | optim/schedule: WarmupLR | optim/schedule: WarmupLR cosine
cyclical | optim/schedule: CyclicLR triangular
StepLR(10,.5) | optim/schedule: StepLR(10, .5)
linear scaling rule | optim/schedule: the linear rule: …
γ .5→.9 momentum ramp | optim/schedule: ramp from .5 to .9
shuffle every epoch | data/loader: are shuffled anew each epoch and repeat for a seed
stratified sampling | data/sampler: StratifiedSampler
length bucketing | data/sampler: BucketBatchSampler
stateful/time-ordered sampling | data/sampler: TimeOrderedBatchSampler continues …
curriculum | data/sampler: CurriculumSampler starts …
small LR first then raise | optim/schedule: WarmupLR | optim/schedule: findLr
`,
  ),
  parse(
    '1.8',
    'initialisation, normalisation, regularisation',
    null,
    `
N(0,.1²) | learn/missions: starts with the spread that was asked for, and 42 numbers
Xavier N/U | nn/random: Xavier and He: bounds and variances
He N/U | learn/numbers: He: 256 inputs … | nn/random: Xavier and He: bounds and variances
orthogonal QR | nn/random: orthogonal: rows or columns are orthonormal
LeakyReLU gain | nn/random: the gain of leaky ReLU is √(2 / (1 + slope²))
bias 0 | learn/missions: starts with the spread that was asked for, and 42 numbers
output layer ×.1 | nn/random: an output layer that starts ten times smaller
γ=1 | nn/random: batch norm starts with γ = 1 and β = 0
β=0 | nn/random: batch norm starts with γ = 1 and β = 0
zero-init last residual γ | vision/models: with zeroInitResidual every block starts as the identity
fan_in/out | nn/random: fans of linear and convolution
BN train/eval | learn/formulas: BN: … | nn/compiled: train and eval flips between calls: …
running stats | learn/formulas: BN: …
LN | learn/formulas: LN: …
Dropout p | nn/random: zeros a share p of the elements and scales the others; eval changes nothing
L2/weight decay | optim/conventions: weight decay
RandomResizedCrop(224) | vision/transforms: training: crop, flip, rotation, jitter, tensor, normalisation
HFlip(.5) | vision/transforms: training: crop, flip, rotation, jitter, tensor, normalisation | vision/kernels: equal to torchvision
VFlip | vision/transforms: happen with the probability that was asked for
Rotation(15) | vision/transforms: training: crop, flip, rotation, jitter, tensor, normalisation
ColorJitter(.2 | vision/transforms: training: crop, flip, rotation, jitter, tensor, normalisation
ToTensor | vision/transforms: ToTensor and Normalize, one by one and in one table
Normalize(.485…/.229…) | vision/transforms: ToTensor and Normalize, one by one and in one table
Resize 256+CenterCrop 224 | vision/transforms: evaluation: …
AlexNet crop/flip/colour | vision/transforms: of AlexNet: …
`,
  ),
  parse(
    '1.9',
    'printed numbers',
    null,
    `
BCE table | learn/numbers: BCE of …
softmax[2,1,.1] | learn/numbers: softmax of [2, 1, .1], …
256→512 He | learn/numbers: He: 256 inputs …
BN batches mean .3/.7 | learn/numbers: two batches of five: …
accuracy 850/1000=85 % | learn/numbers: 850 of 1000 right …
AND (1,1,−1.5) | learn/numbers: AND with weights …
ADALINE step | learn/numbers: one step of ADALINE …
XOR features | learn/numbers: XOR by the feature …
conv 32² | learn/numbers: 32², 3 → 16 channels, …
h_T=w^T | learn/numbers: h_T = wᵀ: …
pooling 2×2 | learn/numbers: pooling 2 × 2 …
VGG 25C vs 18C | learn/numbers: one 5 × 5 or two 3 × 3: …
"~70k params, memory /9" | learn/numbers: a bottleneck …
VGG-16 138M, ResNet-50 25M | vision/models: published sizes
LeNet 99.2 % | owed vision: models
rings >95 %; MNIST 97–98 % | learn/missions: %s: median test accuracy of 5 seeds >= %f | recipe rings | recipe mnist-mlp
cross-entropy at start | learn/numbers: the cross-entropy of a guess …
`,
  ),
  parse(
    '1.10',
    'conventions that differ',
    /^C\d+/,
    `
C1 three forms of momentum | optim/conventions: momentum | optim/rules: SGD
C2 where ε stands | optim/conventions: ε | optim/rules: RMSprop
C3 dropout scaled at test or at training | learn/conventions: scaled in training or in the test: …
C4 1/n, 1/(2N), ½ | learn/formulas: ∂L/∂a = 2/n … | learn/formulas: MSE with f: … | learn/conventions: 1/n, 1/(2N) and ½ …
C5 rows X·W, columns W·A, torch's (out, in) | learn/formulas: the network 2-4-4-2, rows X·W | learn/formulas: δˡ = (Wˡ⁺¹)ᵀ δˡ⁺¹ ⊙ f′; … | owed lab: switch of layouts
C6 where 1/m stands | learn/formulas: dlogits = (p − y) / m | learn/formulas: δˡ = (Wˡ⁺¹)ᵀ δˡ⁺¹ ⊙ f′; …
C7 BN momentum: what is kept, what is new | learn/formulas: BN: … | owed lab: names of both conventions
C8 L2 and weight decay | optim/conventions: weight decay
C9 ŷ as prediction and as target | owed course: answers are checked in both namings
C10 two conventions of the GRU | nn/recurrent: a GRU whose z renews …
C11 three GELUs | learn/formulas: GELU: exact, …
C12 thresholds 0, ½, θ | learn/numbers: AND with weights … | learn/numbers: XOR by the feature … | learn/classic: online and batch end at the same line; …
C13 He or N(0, .1) | learn/missions: starts with the spread that was asked for, and 42 numbers | page docs/missions.md
C14 names of weights, errors, activations | owed lab: glossary
C15 normalisation before or after | nn/attention: what a causal layer sees
`,
  ),
  parse(
    '1.11',
    'mistakes to correct',
    /^errata \d+/,
    `
errata 1 rows are inputs, columns are neurons | learn/formulas: the network 2-4-4-2, rows X·W | owed course: cards of mistakes
errata 2 db sums over the batch | learn/formulas: db3 = sum of dlogits over the batch | owed course: cards of mistakes
errata 3 2-4-4-2 has three layers of weights | learn/missions: starts with the spread that was asked for, and 42 numbers | owed course: cards of mistakes
errata 4 backprop gives gradients, the optimizer updates | grad/backward: autograd.grad | owed course: cards of mistakes
errata 5 MSE does tell .9 from .6 | owed course: cards of mistakes
errata 6 one sample per step works | learn/missions: points per step: … | owed course: cards of mistakes
errata 7 SiLU is older than Swish | owed course: cards of mistakes
errata 8 GELU first, against its own defaults | owed course: cards of mistakes
errata 9 covariate shift, and what BN does | owed course: cards of mistakes
errata 10 dropout on weights is DropConnect | owed course: cards of mistakes
errata 11 L2 is weight decay for plain SGD only | optim/rules: AdamW | optim/conventions: a penalty and decoupled decay are equal for plain SGD only | owed course: cards of mistakes
errata 12 E[ReLU²] is ½σ², Var is .341σ² | owed course: cards of mistakes
errata 13 files that the course cites are our own | owed course: cards of mistakes
errata 14 standardised is not normal | owed course: cards of mistakes
errata 15 momentum near 1, or .1 | learn/formulas: BN: … | owed course: cards of mistakes
errata 16 eval() freezes nothing | nn/compiled: frozen parameters stay, … | owed course: cards of mistakes
errata 17 statistics per channel | nn/layers: every layer | owed course: cards of mistakes
errata 18 pooling is only nearly invariant | owed course: cards of mistakes
errata 19 25C², 18C² | learn/numbers: one 5 × 5 or two 3 × 3: … | owed course: cards of mistakes
errata 20 1×1 in VGG's configuration C only | owed course: cards of mistakes
errata 21 degradation is not vanishing | owed course: cards of mistakes
errata 22 22 + 12 layers are a story | owed course: cards of mistakes
errata 23 ReLU after the sum, BN in the shortcut | owed course: cards of mistakes
errata 24 64·16·16 fits 34-pixel images | owed course: cards of mistakes
errata 25 randn unscaled | owed course: cards of mistakes
errata 26 a 6 turned is a 9, flipped it is not | recipe augmentation | owed course: cards of mistakes
errata 27 flattening keeps order | owed course: cards of mistakes
errata 28 analogies leave out the query | owed course: cards of mistakes
errata 29 the immediate partial | learn/formulas: vector RNN: … | owed course: cards of mistakes
errata 30 diag(1 − h²)W, and what its norm tells | learn/formulas: vector RNN: … | owed course: cards of mistakes
errata 31 lost pictures | owed course: cards of mistakes
errata 32 the Playground link never learns | owed course: cards of mistakes
errata 33 two rings, accuracy on test data | learn/missions: probabilities are rows of sum 1 whose larger one is the class | owed course: cards of mistakes
errata 34 max(αz, z) for α ≤ 1 | owed course: cards of mistakes
errata 35 ReLU with a threshold as output | owed course: cards of mistakes
errata 36 a bracket in a diagram | owed course: cards of mistakes
errata 37 γ = 1 never decays | owed course: cards of mistakes
errata 38 order matters where classes come one by one | recipe shuffling | owed course: cards of mistakes
errata 39 He for tanh | recipe init-tanh | owed course: cards of mistakes
errata 40 runs A, B, C | recipe momentum-abc | owed course: cards of mistakes
errata 41 a ridge along x₁ + x₂ = 1 | learn/numbers: XOR by the feature … | owed course: cards of mistakes
errata 42 history after 2012 | owed course: cards of mistakes
errata 43 parity is hard as stated | learn/memory: as it is stated, with labels at the end only, is not learned | recipe parity | owed course: cards of mistakes
errata 44 gates, not names, remember | learn/memory: recall: first weights that keep the state remember, the usual ones of gates do not | recipe recall | owed course: cards of mistakes
errata 45 the gradient rises before it falls | learn/numbers: h_T = wᵀ: … | owed course: cards of mistakes
errata 46 optimizers per layer exist | optim/state: each layer can have an optimizer of its own | owed course: cards of mistakes
errata 47 ⌊(H + 2p − k)/s⌋ + 1 | learn/formulas: cosine similarity, and a convolution gives ⌊(H + 2p − k)/s⌋ + 1 | owed course: cards of mistakes
`,
  ),
  parse(
    '1.12',
    'experiments',
    /^E\d+/,
    `
E1 fit a line | learn/missions: mission 0 | recipe line
E2 the linear model fails, 2-4-4-2 does not | learn/missions: mission 1 | recipe linear | recipe circle | page docs/missions.md
E3 all, one, some points per step | learn/missions: points per step: … | recipe batch-size
E4 slow, unstable, overfitting, small batch | recipe troubles
E5 own activations, optimizers, norms, compared | recipe own-parts
E6 ResNet on CIFAR-100 | recipe cifar100-resnet20
E7 Transformer and Mamba, generation and sentiment | recipe char-gpt | recipe char-mamba | recipe sst2-transformer | recipe sst2-mamba
E8 BN training and evaluation; claims about BN | learn/modules: batch norm: … | recipe batch-norm
E9 max or average; three interpolations | recipe pooling | vision/windows: pooling | vision/windows: interpolation
E10 two 3×3 or one 5×5 | learn/numbers: one 5 × 5 or two 3 × 3: … | recipe conv-stack
E11 20 or 56 layers | recipe degradation | learn/conv-recipes: degradation: …
E12 Module: children, parameters, saving | learn/modules: a network of one’s own | learn/modules: state and modes
E13 augmentation, right and wrong | recipe augmentation | vision/datasets: training and evaluation
E14 one-hot or embedding | text/vectors: one-hot vectors of different words are orthogonal, whatever the words; embeddings are not | recipe word-vectors
E15 a sentence through an RNN | nn/recurrent: a layer is its cell, step by step | recipe tagging
E16 rings | learn/missions: %s: median test accuracy of 5 seeds >= %f | recipe rings
E17 MLP on MNIST | recipe mnist-mlp
E18 ADALINE and XOR; boundary of three activations; a sweep | learn/classic: XOR with x₁x₂: … | cli/runs: sweep: every combination over its seeds, each as train gives it; table, chart, JSON and CSV
E19 momentum, rate, shuffling | recipe momentum-abc | learn/recipes: $recipe: a run is within the band, the one without $ingredient outside | recipe shuffling
E20 first weights and rates on MNIST | recipe init-tanh | recipe lr-policy
E21 parity | learn/memory: parity | recipe parity-steps | recipe parity-curriculum
E22 RNN, GRU, LSTM: speed and memory | recipe race | recipe recall | recipe copy | recipe adding
E23 vanishing by depth and five cures | recipe vanishing
E24 ADALINE: scaled or not, online or batch | learn/classic: features on scales 1 and 1000: … | learn/classic: online and batch end at the same line; … | recipe adaline
E25 dropout and L2 | recipe dropout-l2
`,
  ),
  parse(
    '1.13',
    'questions and exercises',
    null,
    `
training loop order | owed course: questions
backprop vs chain rule | owed course: questions
one optimizer | owed course: questions
linear collapse | owed course: questions
CE vs MSE | owed course: questions
under/overfit | owed course: questions
sharing/receptive field | owed course: questions
pooling and removing it | owed course: questions
H',W' | learn/formulas: cosine similarity, and a convolution gives ⌊(H + 2p − k)/s⌋ + 1 | owed course: questions
BN two steps | learn/formulas: BN: … | owed course: questions
why | owed course: questions
residual path | learn/formulas: F(x) + x passes the gradient on; … | owed course: questions
RNN formula | learn/formulas: vector RNN: … | owed course: questions
BPTT | learn/formulas: through time | owed course: questions
vanishing | owed course: questions
GRU equations | owed course: questions
c_t vs h_t | owed course: questions
gates count | owed course: questions
3.1 | learn/numbers: 32², 3 → 16 channels, … | owed course: questions
3.2 | learn/formulas: scalar net … | owed course: questions
3.3 | learn/formulas: scalar tanh RNN … | owed course: questions
3.4 | learn/numbers: h_T = wᵀ: … | owed course: questions
4.1 | learn/memory: parity | recipe parity | owed course: questions
4.2 | learn/memory: recall: first weights that keep the state remember, the usual ones of gates do not | recipe recall | owed course: questions
checklist | owed course: questions
6 learning goals | owed course: questions
derive ŷ−y | learn/formulas: softmax with cross-entropy: … | owed course: questions
substitute BCE values | learn/numbers: BCE of … | owed course: questions
missions 0-2 | learn/missions: mission 0 | learn/missions: mission 1 | owed course: questions
MSE+identity | learn/formulas: MSE with f: … | owed course: questions
MSE vs BCE | owed course: questions
2-layer all gradients | learn/formulas: δˡ = (Wˡ⁺¹)ᵀ δˡ⁺¹ ⊙ f′; … | owed course: questions
stable softmax | learn/numbers: both plans for two classes … | owed course: questions
vectorised batch | learn/formulas: δˡ = (Wˡ⁺¹)ᵀ δˡ⁺¹ ⊙ f′; … | owed course: questions
pitfalls list | owed course: questions
debugging order | owed course: questions
cheat sheets | owed course: questions
what is h^(n) | owed course: questions
y^(n) | owed course: questions
Socratic questions | owed course: questions
`,
  ),
  parse(
    '1.14',
    'pictures',
    null,
    `
MSE as ruler | owed lab: pictures of the course
hill descent | recipe line | page docs/pictures/en/line-descent.svg
loss curve | recipe circle | page docs/pictures/en/circle-learning.svg
train/test accuracy per epoch | recipe circle | page docs/pictures/en/circle-learning.svg
point cloud + line | recipe line | page docs/pictures/en/line.svg
decision boundary | recipe circle | page docs/pictures/en/circle-boundary.svg
ReLU fold | recipe kinks | page docs/pictures/en/kinks.svg
activation curves | owed lab: pictures of the course
network diagrams | viz/viz: network draws every unit and every weight, with shapes | page docs/pictures/en/triangle-network.svg
backprop pipeline | owed lab: pictures of the course
history timeline | owed lab: pictures of the course
perceptron | owed lab: pictures of the course
ADALINE loop | owed lab: pictures of the course
φ pipeline | owed lab: pictures of the course
MLP | owed lab: pictures of the course
XOR net | owed lab: pictures of the course
in-layer forward | owed lab: pictures of the course
right-to-left gradient graph | owed lab: pictures of the course
layer decomposition | owed lab: pictures of the course
output+loss | owed lab: pictures of the course
LR schedule | owed lab: pictures of the course
ravine decision flow | owed lab: pictures of the course
momentum flow | owed lab: pictures of the course
pooling window slide | recipe pooling | vision/windows: pooling | learn/conv-recipes: windows and blocks are drawn, in %s
interpolation | recipe pooling | vision/windows: interpolation
BN distribution before/after | owed lab: pictures of the course
channel-wise statistics | owed lab: pictures of the course
residual/conv/dense blocks | recipe degradation | learn/conv-recipes: windows and blocks are drawn, in %s
Inception | recipe degradation | learn/conv-recipes: windows and blocks are drawn, in %s
receptive-field growth | vision/seeing: windowLayers lists them in order; … | viz/seeing: receptive fields: …
RNN unrolled | learn/through-time: unrolled: a box for every state, arrows back as wide as the gradient is large | recipe time-gradient
BPTT chain | learn/through-time: gradientsThroughTime | recipe time-gradient | recipe tbptt
GRU/LSTM cell graphs | learn/through-time: %s: gates and formulas of its cell | recipe time-gradient
embedding space + cosine | learn/text: pointMap draws names, groups and links | recipe word-vectors
augmentation grid | recipe augmentation | viz/viz: small pictures
optimizer paths in a ravine | recipe optimizer-race | optim/path: optimizer-race
sweep comparison chart | cli/runs: sweep: every combination over its seeds, each as train gives it; table, chart, JSON and CSV
大白话 / 理论 | owed course: both tiers of wording
`,
  ),
  parse(
    '1.15',
    'features of the API',
    null,
    `
Module.__init__/forward | nn/module: calls
auto-registration | nn/module: registration
Parameter(requires_grad) | nn/module: registration
parameters/named_parameters/children/modules/named_* | nn/module: registration
tree print | nn/module: print is the tree as PyTorch prints it
Sequential | nn/module: registration
functional | learn/formulas: activations
zero_grad/backward/step | package/package: imports, computes and trains
no_grad | grad/backward: noGrad records nothing, enableGrad inside does
train/eval | nn/module: modes, freezing, conversion
buffers | nn/module: registration
state_dict | nn/module: state dicts
.to() | nn/module: modes, freezing, conversion
Dataset/DataLoader(shuffle,batch,workers) | data/loader: batches
TensorDataset | data/dataset: TensorDataset
transforms.Compose | vision/transforms: the pipelines of the notes | vision/datasets: the notes: …
LR-scheduler objects | optim/schedule: goes on from a state dict
seeds | learn/missions: a seed repeats bit for bit
progress bar | cli/cli: draws a bar on a terminal that fits its width and goes away
per-parameter optimizer state | optim/rules: Adam
decoupled grad/update | grad/backward: autograd.grad
forward+backward per layer | grad/custom: autograd.Function
`,
  ),
  parse(
    '1.16',
    'formulas',
    null,
    `
MSE and ∂/∂a | learn/formulas: ∂L/∂a = 2/n …
∂/∂b | learn/formulas: ∂L/∂a = 2/n …
θ←θ−ηg | learn/missions: a step of training is gradient descent on the cross-entropy, by hand
σ | learn/formulas: σ′ = a(1 − a), …
softmax | learn/numbers: softmax of [2, 1, .1], …
ReLU | learn/formulas: the ReLU mask
BCE | learn/numbers: BCE of …
CE | learn/numbers: softmax of [2, 1, .1], …
Z1=XW1+b1 | learn/formulas: the network 2-4-4-2, rows X·W
dlogits=(p−y)/m | learn/formulas: dlogits = (p − y) / m
dW3=h2ᵀdlogits | learn/formulas: dW3 = h2ᵀ dlogits
db3 | learn/formulas: db3 = sum of dlogits over the batch
dh2=dlogits·W3ᵀ | learn/formulas: dh2 = dlogits W3ᵀ
ReLU mask | learn/formulas: the ReLU mask
dW2 | learn/formulas: dW2 = h1ᵀ dz2
dW1=Xᵀdh1 | learn/formulas: dW1 = Xᵀ dz1
SiLU | learn/formulas: SiLU is x σ(x) …
GELU×3 | learn/formulas: GELU: exact, …
SGD | learn/missions: a step of training is gradient descent on the cross-entropy, by hand
momentum | optim/rules: SGD
Adagrad | optim/rules: Adagrad
RMSProp | optim/rules: RMSprop
Adam with bias correction | optim/rules: Adam
AdamW | optim/rules: AdamW
BN | learn/formulas: BN: …
LN | learn/formulas: LN: …
dropout keep | learn/conventions: p is the share that goes; …
L2 | optim/conventions: λ‖p‖² is twice ½λ‖p‖²
Xavier/He variance and uniform bounds | learn/numbers: He: 256 inputs … | nn/random: Xavier and He: bounds and variances
fan_in/out for linear and conv | nn/random: fans of linear and convolution
BN 4 steps and running update | learn/formulas: BN: …
H(x)=F(x)+x | learn/formulas: F(x) + x passes the gradient on; …
F+conv1×1(x) | learn/formulas: F(x) + x passes the gradient on; …
dense concat | learn/formulas: F(x) + x passes the gradient on; …
receptive field/params of stacked 3×3 | learn/formulas: the receptive field of n stacked 3 × 3 is 2n + 1 | learn/numbers: one 5 × 5 or two 3 × 3: …
h_t=tanh(W_ih x_t+W_hh h_{t−1}+b) | learn/formulas: vector RNN: …
∂L_t/∂W_o=(∂L_t/∂y_t)h_tᵀ | learn/formulas: vector RNN: …
∂L_t/∂W_hh=Σ_k | learn/formulas: vector RNN: …
product of Jacobians | learn/formulas: vector RNN: …
cosine similarity | learn/formulas: cosine similarity, and …
king−man+woman | text/vectors: king − man + woman is queen, query words excluded | learn/text: king − man + woman is queen, 国王 − 男人 + 女人 is 女王, learned and counted
perceptron rule | learn/classic: perceptron
E and both LMS forms | learn/classic: online and batch end at the same line; … | learn/classic: one step from 0: …
x←(x−μ)/(σ+ε) | data/generators: is scaled to mean 0 and standard deviation 1
u_j=Σw_ji y_i+b_j | learn/numbers: AND with weights …
z=Wa+b | learn/formulas: δˡ = (Wˡ⁺¹)ᵀ δˡ⁺¹ ⊙ f′; …
δ^L for MSE+f | learn/formulas: MSE with f: …
softmax+CE | learn/formulas: softmax with cross-entropy: …
σ+BCE | learn/formulas: softmax with cross-entropy: …
δ^l=(W^{l+1})ᵀδ^{l+1}⊙f′ | learn/formulas: δˡ = (Wˡ⁺¹)ᵀ δˡ⁺¹ ⊙ f′; …
∂E/∂W=δaᵀ | learn/formulas: δˡ = (Wˡ⁺¹)ᵀ δˡ⁺¹ ⊙ f′; …
∂E/∂b=δ | learn/formulas: δˡ = (Wˡ⁺¹)ᵀ δˡ⁺¹ ⊙ f′; …
batch (1/m)ΔAᵀ | learn/formulas: δˡ = (Wˡ⁺¹)ᵀ δˡ⁺¹ ⊙ f′; …
(1/m)Δ1 | learn/formulas: δˡ = (Wˡ⁺¹)ᵀ δˡ⁺¹ ⊙ f′; …
softmax Jacobian | learn/formulas: the softmax Jacobian …
softmax(u−c) invariance | learn/formulas: the softmax Jacobian …
Nesterov | optim/rules: SGD
α_t=a/(b+t) | optim/schedule: InverseTimeLR a/(b + t)
activation and loss are separate nodes | learn/formulas: the network 2-4-4-2, rows X·W
h=tanh(w1x+b1) | learn/formulas: scalar net …
scalar RNN | learn/formulas: scalar tanh RNN …
δ_t^h | learn/formulas: scalar tanh RNN …
conv output size | learn/formulas: cosine similarity, and a convolution gives ⌊(H + 2p − k)/s⌋ + 1
h_T=w^T | learn/numbers: h_T = wᵀ: …
`,
  ),
];
