import { expect } from 'vitest';
import type { Aggregator } from './aggregator.js';
import { RtmpClient } from './rtmp-client.js';
import { type RtmpSink, startRtmpSink } from './rtmp-sink.js';
import type { Scope } from './scope.js';
import { waitFor, within } from './wait.js';

/** Media flows from a camera to a target, and the API answers. */
export class Life {
  readonly aggregator: Aggregator;
  readonly #camera: RtmpClient;
  readonly #sink: RtmpSink;
  readonly #timer: NodeJS.Timeout;
  #ms = 0;

  private constructor(scope: Scope, aggregator: Aggregator, camera: RtmpClient, sink: RtmpSink) {
    this.aggregator = aggregator;
    this.#camera = camera;
    this.#sink = sink;
    this.#timer = setInterval(() => this.#frame(), 20);
    scope.defer(() => clearInterval(this.#timer));
  }

  static async begin(scope: Scope, aggregator: Aggregator): Promise<Life> {
    const sink = await startRtmpSink(scope);
    await aggregator.addCamera('cam');
    await aggregator.addPush('cam', sink.url('cam'), 'sink');
    const camera = new RtmpClient(scope, aggregator.rtmpPort);
    await camera.publish('cam', 'cam');
    return new Life(scope, aggregator, camera, sink);
  }

  #frame(): void {
    this.#ms += 20;
    this.#camera.media(9, this.#ms, Buffer.from([0x17, 1, 0, 0, 0, 1, 2, 3]));
  }

  get received(): number {
    return this.#sink.connections.reduce(
      (sum, { messages }) => sum + messages.filter(({ type }) => type === 9).length,
      0,
    );
  }

  /** Lines that nobody summed up: 100 calls that change something, each with its line. */
  async makeLines(count: number): Promise<void> {
    for (let i = 0; i < count; i++)
      await this.aggregator.apiOk('PATCH', '/v1/log', { level: i % 2 === 0 ? 'info' : 'debug' });
  }

  async expectWell(): Promise<void> {
    const before = this.received;
    await waitFor(() => this.received > before + 20, { what: 'frames at the target' });
    const response = await within(fetch(`${this.aggregator.apiUrl}/healthz`), 3000, '/healthz to answer');
    expect(response.ok).toBe(true);
    expect(this.#camera.closedByPeer).toBe(false);
    expect(this.#sink.connections).toHaveLength(1);
  }

  /** SIGTERM ends it as fast as it ever does. */
  async expectEnd(codes: readonly (number | string | null)[] = [0]): Promise<void> {
    clearInterval(this.#timer);
    this.aggregator.process.signal('SIGTERM');
    const { code, signal } = await within(this.aggregator.process.exited, 6000, 'the aggregator to end');
    expect(codes).toContain(code ?? signal);
  }
}

/** Codes of what is wrong, as `/v1/config` tells. */
export const problemCodes = async (aggregator: Aggregator): Promise<string[]> => {
  const { problems } = (await aggregator.apiOk('GET', '/v1/config')) as { problems: { code: string }[] };
  return problems.map(({ code }) => code);
};
