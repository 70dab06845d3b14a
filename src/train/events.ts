// What a training tells while it runs: plain data, so that a terminal, a log, a lab or another process can show it.

/** Numbers by name: trainLoss, trainAccuracy, valLoss, testLoss, testAccuracy are called so everywhere. */
export type Metrics = Record<string, number>;

export interface Place {
  /** From 1. */
  readonly epoch: number;
  readonly epochs: number;
  /** Optimizer steps so far, over all epochs. */
  readonly step: number;
}
export type TrainEvent =
  | ({ readonly kind: 'start'; readonly stepsPerEpoch: number | null } & Place)
  | ({
      readonly kind: 'step';
      readonly loss: number;
      readonly lr: number;
      /** Batches of this epoch that are done. */
      readonly batch: number;
      readonly batches: number | null;
      /** Gradient norm before clipping, where it is clipped. */
      readonly gradNorm?: number;
    } & Place)
  | ({ readonly kind: 'epoch'; readonly metrics: Metrics; readonly seconds: number } & Place)
  | ({ readonly kind: 'checkpoint'; readonly file: string } & Place)
  | ({ readonly kind: 'end'; readonly why: EndReason } & Place);

/** done: all epochs. early: a callback had enough. interrupted: the signal asked to stop. */
export type EndReason = 'done' | 'early' | 'interrupted';
