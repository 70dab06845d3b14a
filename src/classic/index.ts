// tenon/classic: the history of learning machines, each as it was, on the public API.

export { Adaline, type AdalineOptions, withProduct } from './adaline.ts';
export { DeepBeliefNet, RBM, type RbmOptions } from './boltzmann.ts';
export { type LinearFitOptions, LinearSVM, SoftmaxRegression } from './linear.ts';
export { GATES, mpNeuron } from './neuron.ts';
export { Perceptron, type PerceptronFit, type PerceptronTrace } from './perceptron.ts';
export { xorNet } from './xor.ts';
