import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterNode } from './programs.js';

/** What a writer knows of its camera. */
interface Ledger {
  readonly camera: string;
  /** The number of the last change that was acknowledged. */
  acknowledged: number;
  /** Of the last one that was sent. */
  sent: number;
}

const pauseMs = 150;

/**
 * Callers that change cameras all the time, each one its own camera, at any node, and note what was acknowledged. A change of which
 * nobody knows whether it was made may be there or not; one that was acknowledged must.
 */
export class Changes {
  readonly #nodes: readonly ClusterNode[];
  readonly #ledgers: readonly Ledger[];
  #isOn = false;
  #work: Promise<unknown> = Promise.resolve();
  counts = { made: 0, refused: 0, unknown: 0 };

  constructor(nodes: readonly ClusterNode[], writers: number) {
    this.#nodes = nodes;
    this.#ledgers = Array.from({ length: writers }, (_, index) => ({
      ...{ camera: `config-${index}`, acknowledged: 0, sent: 0 },
    }));
  }

  async declare(): Promise<void> {
    for (const { camera } of this.#ledgers) {
      await this.#nodes[0]!.callOk('POST', '/v1/cameras', { name: camera, type: 'v-0' });
    }
  }

  /** Begins to count anew. */
  start(): void {
    this.counts = { made: 0, refused: 0, unknown: 0 };
    this.goOn();
  }

  /** After `stop`. */
  goOn(): void {
    this.#isOn = true;
    this.#work = Promise.all(this.#ledgers.map((ledger, index) => this.#write(ledger, index)));
  }

  async stop(): Promise<void> {
    this.#isOn = false;
    await this.#work;
  }

  /** What was known is not the truth any more: a person accepted an older state. */
  async begin(): Promise<void> {
    for (const ledger of this.#ledgers) ledger.acknowledged = await numberAt(this.#nodes[0]!, ledger.camera);
  }

  /** What is wrong: changes that are gone, or nodes that differ. To be asked when nobody writes. */
  async faults(limitMs: number): Promise<string[]> {
    for (const untilMs = performance.now() + limitMs; ; await sleep(300)) {
      const faults: string[] = [];
      for (const { camera, acknowledged, sent } of this.#ledgers) {
        const found = await Promise.all(
          this.#nodes.map((node) => numberAt(node, camera).catch((error: unknown) => String(error))),
        );
        const isGone = found.some((each) => typeof each !== 'number' || each < acknowledged || each > sent);
        if (isGone) faults.push(`${camera}: ${acknowledged} was acknowledged, and the nodes have ${found.join(', ')}`);
        else if (new Set(found).size > 1) faults.push(`${camera}: the nodes differ: ${found.join(', ')}`);
      }
      if (faults.length === 0 || performance.now() > untilMs) return faults;
    }
  }

  async #write(ledger: Ledger, index: number): Promise<void> {
    for (let turn = index; this.#isOn; turn++) {
      const number = ++ledger.sent;
      const node = this.#nodes[turn % this.#nodes.length]!;
      try {
        const { status, body } = await node.call('PATCH', `/v1/cameras/${ledger.camera}`, { type: `v-${number}` });
        if (status === 200) {
          ledger.acknowledged = number;
          this.counts.made++;
        } else if ((body as { code?: string }).code === 'CLUSTER_UNCERTAIN') this.counts.unknown++;
        else this.counts.refused++;
      } catch {
        this.counts.unknown++;
      }
      await sleep(pauseMs);
    }
  }
}

async function numberAt(node: ClusterNode, camera: string): Promise<number> {
  const { type } = await node.callOk<{ type: string }>('GET', `/v1/cameras/${camera}?node=self`);
  return Number(type.slice(2));
}
