import { connect, createServer, type Server, type Socket } from 'node:net';
import { sendPaced } from '../../../src/ingest/pacer.js';
import type { TagSource } from '../../../src/ingest/tag-source.js';
import { PublishClient } from '../../../src/rtmp/publish-client.js';
import { MessageType } from '../../../src/wire/message.js';

/** A line to the aggregator that can be cut like a cable, or torn off like a program that is killed. */
class Line {
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #isCut = false;
  port = 0;

  constructor(port: number) {
    this.#server = createServer({ noDelay: true }, (near) => {
      const far = connect({ host: '127.0.0.1', port, noDelay: true });
      const pair = [near, far] as const;
      this.#pairs.add(pair);
      for (const socket of pair) {
        socket.on('error', () => {});
        socket.on('close', () => {
          this.#pairs.delete(pair);
          for (const each of pair) each.destroy();
        });
      }
      near.on('data', (data) => {
        if (!this.#isCut) far.write(data);
      });
      far.on('data', (data) => {
        if (!this.#isCut) near.write(data);
      });
    });
  }

  async open(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const address = this.#server.address();
    this.port = typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Nothing gets through any more, and neither side is told. */
  cut(): void {
    this.#isCut = true;
  }

  tear(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy();
  }

  close(): void {
    this.#server.close();
    this.tear();
  }
}

/** What may happen to an encoder. */
export const troubles = ['left', 'killed', 'frozen', 'without picture', 'cut off'] as const;
export type Trouble = (typeof troubles)[number];

/** An encoder that sends a clip over and over, at its own pace, and gets into trouble. */
export class Encoder {
  readonly #url: (port: number) => string;
  readonly #serverPort: number;
  readonly #clip: TagSource;
  #line: Line | null = null;
  #publisher: PublishClient | null = null;
  #ended = new AbortController();
  #sends = { video: true, any: true };

  /** @param url where it publishes to, by the port that it connects to */
  constructor(serverPort: number, url: (port: number) => string, clip: TagSource) {
    this.#serverPort = serverPort;
    this.#url = url;
    this.#clip = clip;
  }

  async start(): Promise<void> {
    const line = new Line(this.#serverPort);
    await line.open();
    const publisher = new PublishClient({ url: this.#url(line.port), connectTimeoutMs: 10_000 });
    await publisher.connect();
    this.#line = line;
    this.#publisher = publisher;
    this.#ended = new AbortController();
    const sends = { video: true, any: true };
    this.#sends = sends;
    const send = (type: number, timestampMs: number, payload: Buffer): undefined => {
      if (sends.any && (sends.video || type !== MessageType.Video)) publisher.write(type, timestampMs, payload);
    };
    void sendPaced(this.#clip, { loop: true, durationMs: undefined, signal: this.#ended.signal, send }).catch(() => {});
  }

  async trouble(trouble: Trouble): Promise<void> {
    if (trouble === 'left') await this.stop();
    else if (trouble === 'killed') this.#line?.tear();
    else if (trouble === 'frozen') this.#sends.any = false;
    else if (trouble === 'without picture') this.#sends.video = false;
    else this.#line?.cut();
    if (trouble === 'killed') this.#ended.abort();
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    const { closed } = this.#publisher ?? { closed: Promise.resolve(null) };
    void this.#publisher?.close();
    // Its goodbye does not get through a line that is cut.
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 500))]);
    this.#line?.close();
  }
}
