/** What a process of hostile peers is told when it starts. */
export interface Assignment {
  readonly kind: string;
  readonly peers: number;
  readonly rtmpPort: number;
  readonly apiPort: number;
}

export type FromFlood =
  /** @param port of its target, where it is one */
  | { readonly kind: 'ready'; readonly port: number }
  | { readonly kind: 'counts'; readonly sentBytes: number; readonly ended: number };

/** To the process of the healthy camera: begin to count anew; tell what was counted. */
export type ToWitness =
  | { readonly kind: 'start'; readonly rtmpPort: number }
  | { readonly kind: 'reset' }
  | { readonly kind: 'report' };

export type FromWitness =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'seen' }
  | {
      readonly kind: 'report';
      readonly frames: number;
      readonly lost: number;
      readonly altered: number;
      readonly latenciesMs: readonly number[];
    };
