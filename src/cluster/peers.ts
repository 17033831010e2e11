import { CodedError, messageOf } from '../errors.js';
import type { NodeScope, NodeTokens } from './node-token.js';
import type { ClusterNodes } from './nodes.js';

/** How long another node may take to answer: a call of a person waits for it. */
const answerMs = 2500;
const maxAnswerBytes = 64 * 1024 * 1024;

export interface PeerRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  /** What the one may do for whom this node asks. */
  readonly scope: NodeScope;
  /** JSON. */
  readonly body?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** How long the answer may take; undefined: 2.5 s. */
  readonly limitMs?: number | undefined;
}

export interface PeerAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly etag: string | undefined;
  readonly bytes: Buffer;
}

/** @param sentMs and @param gotMs milliseconds since 1970 */
export type NoteDate = (node: string, date: string | null, sentMs: number, gotMs: number) => void;

/** Asks the APIs of other nodes, each time with a short-lived token for that node. */
export class Peers {
  readonly #nodes: Pick<ClusterNodes, 'all'>;
  readonly #tokens: NodeTokens;

  readonly #noteDate: NoteDate;

  /** @param nodes those that may be asked @param noteDate told of each answer's `Date` */
  constructor(nodes: Pick<ClusterNodes, 'all'>, tokens: NodeTokens, noteDate: NoteDate = () => {}) {
    this.#nodes = nodes;
    this.#tokens = tokens;
    this.#noteDate = noteDate;
  }

  /** @throws CodedError NODE_UNAVAILABLE */
  async ask(id: string, { method, path, scope, body, headers, limitMs = answerMs }: PeerRequest): Promise<PeerAnswer> {
    try {
      const response = await this.#fetch(id, scope, path, {
        method,
        headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body }),
        signal: AbortSignal.timeout(limitMs),
      });
      return {
        status: response.status,
        contentType: response.headers.get('content-type') ?? 'application/json',
        etag: response.headers.get('etag') ?? undefined,
        bytes: checked(await limited(response)),
      };
    } catch (error) {
      throw unavailable(id, reasonOf(error, limitMs), error);
    }
  }

  /** The body of a stream of server-sent events, until the signal. @throws CodedError NODE_UNAVAILABLE */
  async follow(
    id: string,
    { path, scope, signal }: { readonly path: string; readonly scope: NodeScope; readonly signal: AbortSignal },
  ): Promise<ReadableStream<Uint8Array>> {
    try {
      const response = await this.#fetch(id, scope, path, { signal });
      if (response.status !== 200 || response.body === null) {
        throw new Error(`it answers ${response.status}: ${reasonIn(await limited(response))}`);
      }
      const type = response.headers.get('content-type') ?? 'nothing';
      if (!type.startsWith('text/event-stream')) {
        await response.body.cancel();
        throw new Error(`it answers with ${type.slice(0, 80)}, and not with events`);
      }
      return response.body;
    } catch (error) {
      throw unavailable(id, reasonOf(error, 0), error);
    }
  }

  async #fetch(id: string, scope: NodeScope, path: string, init: RequestInit): Promise<Response> {
    const node = this.#nodes.all.find((each) => each.id === id);
    if (node === undefined) throw new Error('it is not in the list of nodes');
    const sentMs = Date.now();
    const response = await fetch(`${node.api}${path}`, {
      ...init,
      headers: { ...init.headers, authorization: `Bearer ${this.#tokens.issue(id, scope)}` },
      // A node answers itself: whoever sends the token elsewhere is none.
      redirect: 'error',
    });
    this.#noteDate(id, response.headers.get('date'), sentMs, Date.now());
    // It is about this node's token, not about that of who asked this node.
    if (response.status === 401) throw new Error(`it refuses this node: ${reasonIn(await limited(response))}`);
    return response;
  }
}

/** Brackets in brackets of an answer. Ten are used; each one takes tens of bytes and more of whoever parses them. */
const maxDepth = 64;

/** The answer, when it can be parsed without harm. @throws Error */
function checked(bytes: Buffer): Buffer {
  let depth = 0;
  let isText = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (isText) {
      if (byte === 0x5c) at++;
      else if (byte === 0x22) isText = false;
    } else if (byte === 0x22) isText = true;
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > maxDepth) throw new Error(`its answer is nested more than ${maxDepth} deep`);
    } else if (byte === 0x5d || byte === 0x7d) depth--;
  }
  return bytes;
}

async function limited(response: Response): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.length;
    if (bytes > maxAnswerBytes) throw new Error(`its answer has more than ${maxAnswerBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function reasonOf(error: unknown, limitMs: number): string {
  if (error instanceof Error && error.name === 'TimeoutError') return `no answer within ${limitMs} ms`;
  return error instanceof Error && error.cause instanceof Error ? messageOf(error.cause) : messageOf(error);
}

/** The message of an error that an API answers. */
function reasonIn(bytes: Buffer): string {
  try {
    const { message } = Object(JSON.parse(bytes.toString()));
    return String(message).slice(0, 300);
  } catch {
    return 'it does not say why';
  }
}

function unavailable(id: string, why: string, cause?: unknown): CodedError {
  return new CodedError('NODE_UNAVAILABLE', `node ${id} does not answer: ${why}`, { cause });
}
