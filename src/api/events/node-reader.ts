import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../errors.js';
import { readEvents, type ServerSentEvent } from '../../events/event-reader.js';
import type { OtherNodes } from '../v1/other-nodes.js';

/** How long a node may take to begin its answer. */
const openMs = 2500;
/** A node that follows says something every 15 s. */
const silenceMs = 20_000;
const firstPauseMs = 250;
const longestPauseMs = 5000;
/** A stream that was open for so long is one that was well: what ends it is no trouble. */
const wellAfterMs = 1000;

export interface NodeReaderOptions {
  readonly nodes: Pick<OtherNodes, 'follow'>;
  readonly node: string;
  /** What is asked for now, with the query: it may be another at each connection. */
  readonly path: () => string;
  readonly onOpen: () => void;
  readonly onEvent: (event: ServerSentEvent) => void;
  /** It does not answer; it is tried again. */
  readonly onSilent: (why: string) => void;
}

/** Reads the server-sent events of another node, and connects again until it is closed. */
export class NodeReader {
  readonly #options: NodeReaderOptions;
  #stop = new AbortController();
  #isClosed = false;

  constructor(options: NodeReaderOptions) {
    this.#options = options;
    // Not before whoever makes it has it.
    queueMicrotask(() => void this.#run());
  }

  close(): void {
    this.#isClosed = true;
    this.#stop.abort();
  }

  /** Asks anew, by the path as it is now. */
  restart(): void {
    this.#stop.abort(new Restart());
  }

  async #run(): Promise<void> {
    let pauseMs = firstPauseMs;
    let isFirstEnd = true;
    while (!this.#isClosed) {
      const startedMs = performance.now();
      const why = await this.#read();
      if (this.#isClosed) return;
      if (performance.now() - startedMs > wellAfterMs) {
        pauseMs = firstPauseMs;
        isFirstEnd = true;
      }
      // An end is no failure: the token of the reader is over, or somebody asks for more. One after the other is.
      const isOften = why === null && !isFirstEnd;
      isFirstEnd = false;
      if (why === null && !isOften) {
        await sleep(50, undefined, { ref: false });
        continue;
      }
      if (why !== null) this.#options.onSilent(why);
      await sleep(pauseMs, undefined, { ref: false });
      pauseMs = Math.min(longestPauseMs, pauseMs * 2);
    }
  }

  /** @returns why it failed; null: the stream ended as it should */
  async #read(): Promise<string | null> {
    const { nodes, node, path, onOpen, onEvent } = this.#options;
    const stop = new AbortController();
    this.#stop = stop;
    const late = (text: string) => stop.abort(new Error(text));
    let timer = setTimeout(late, openMs, `no answer within ${openMs} ms`).unref();
    const alive = (): void => {
      clearTimeout(timer);
      timer = setTimeout(late, silenceMs, `it has said nothing for ${silenceMs / 1000} s`).unref();
    };
    try {
      const body = await nodes.follow(node, { path: path(), scope: 'read', signal: stop.signal });
      alive();
      onOpen();
      for await (const event of readEvents(body, alive)) {
        if (stop.signal.aborted) break;
        onEvent(event);
      }
      return null;
    } catch (error) {
      if (stop.signal.reason instanceof Restart) return null;
      const reason: unknown = stop.signal.aborted ? stop.signal.reason : error;
      return messageOf(reason).slice(0, 300);
    } finally {
      clearTimeout(timer);
      stop.abort();
    }
  }
}

class Restart extends Error {}
