import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { RateLimitedError } from '../access/access.js';
import type { PageSteps } from '../control/paging.js';
import { FairGate, GateError } from '../fairness/fair-gate.js';
import { type Job, Turns } from '../fairness/turns.js';
import { shareOf } from './caller-share.js';

/** An answer is made and sent in blocks of about this size. No more than this waits for a client that does not read. */
const blockBytes = 64 * 1024;
/** One unit of cost: a small call, so many things looked at, or so many bytes made. */
export const thingsPerUnit = 100;
export const bytesPerUnit = 256 * 1024;

/** To show so many takes half a millisecond. */
const manyThings = 32;

/** Costly calls under way: in all, and of one caller. Of these one works at a time; the others wait for their readers. */
const atOnce = 256;
const atOncePerCaller = 16;
const waiting = 2048;
const waitingPerCaller = 256;
const longestWaitMs = 10_000;

/**
 * Calls whose answers are long: lists, metrics, histories, what a reader of events missed. They are made in stretches, so
 * that no frame waits for them, one caller after the other, and sent as fast as they are read.
 */
export class CostlyCalls {
  readonly turns = new Turns();
  readonly #gate = new FairGate({
    ...{ atOnce, atOncePerKey: atOncePerCaller },
    ...{ waiting, waitingPerKey: waitingPerCaller, longestWaitMs },
  });

  /** How many are under way. */
  get underWay(): number {
    return this.#gate.inside;
  }

  /** Turns away who waits. */
  close(): void {
    this.#gate.close();
  }

  /**
   * Answers with what `pieces` give, one after the other. An empty piece is work without an outcome.
   * @throws RateLimitedError when too many calls of this caller wait; what `pieces` throw before the first block is full
   */
  async send(
    request: FastifyRequest,
    reply: FastifyReply,
    type: string,
    pieces: Iterator<string | Buffer, void>,
  ): Promise<FastifyReply> {
    const share = shareOf(request);
    const leave = await this.#enter(share);
    // Nothing is made for a client that went away while it waited.
    if (reply.raw.destroyed) {
      leave();
      reply.hijack();
      return reply;
    }
    const blocks = new Blocks(pieces, this.turns.begin(share));
    const end = (): void => {
      leave();
      request.charge?.(blocks.units);
    };
    let first: Buffer | null;
    try {
      first = await blocks.next();
    } catch (error) {
      end();
      throw error;
    }
    reply.type(type);
    if (!blocks.isDone) return reply.send(new BlockStream(first, blocks, end));
    end();
    return reply.send(first ?? Buffer.alloc(0));
  }

  /**
   * For an answer that is made at once, of so many things: charges for them, and where they are many, resolves when it is
   * this caller's turn. In each turn of the event loop one such answer is made, however many ask for one at once.
   */
  async turnFor(request: FastifyRequest, things: number): Promise<void> {
    request.charge?.(things / thingsPerUnit);
    if (things >= manyThings) await this.turns.begin(shareOf(request)).turn();
  }

  /** Answers with a page. @throws as `send` */
  sendPage(request: FastifyRequest, reply: FastifyReply, steps: PageSteps<object>): Promise<FastifyReply> {
    return this.send(request, reply, 'application/json; charset=utf-8', pagePieces(steps));
  }

  async #enter(share: string): Promise<() => void> {
    try {
      return await this.#gate.enter(share);
    } catch (error) {
      if (!(error instanceof GateError)) throw error;
      const message = `${atOncePerCaller} costly calls of this caller are running and too many are waiting; make them one after the other`;
      throw new RateLimitedError(1000, message);
    }
  }
}

function* pagePieces(steps: PageSteps<object>): Generator<string, void> {
  yield '{"items":[';
  let separator = '';
  for (;;) {
    const step = steps.next();
    if (step.done === true) {
      yield `],"next":${JSON.stringify(step.value)}}`;
      return;
    }
    if (step.value === null) yield '';
    else {
      yield separator + JSON.stringify(step.value);
      separator = ',';
    }
  }
}

/** Gathers pieces into blocks, in stretches of work. */
class Blocks {
  readonly #pieces: Iterator<string | Buffer, void>;
  readonly #job: Job;
  #things = 0;
  #bytes = 0;
  #isDone = false;

  constructor(pieces: Iterator<string | Buffer, void>, job: Job) {
    this.#pieces = pieces;
    this.#job = job;
  }

  /** True when the block before was the last one. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** What it cost so far, beyond the call itself. */
  get units(): number {
    return this.#things / thingsPerUnit + this.#bytes / bytesPerUnit;
  }

  /** Null: there is no more. @throws what the pieces throw */
  async next(): Promise<Buffer | null> {
    const gathered: string[] = [];
    let length = 0;
    while (!this.#isDone) {
      if (this.#job.isOver) await this.#job.turn();
      const piece = this.#pieces.next();
      if (piece.done === true) {
        this.#isDone = true;
        break;
      }
      const { value } = piece;
      if (typeof value !== 'string') {
        this.#bytes += value.length;
        // Whole blocks stand alone: nobody mixes them with texts.
        return value;
      }
      this.#things++;
      if (value === '') continue;
      gathered.push(value);
      length += value.length;
      if (length >= blockBytes) break;
    }
    if (length === 0) return null;
    const block = Buffer.from(gathered.join(''));
    this.#bytes += block.length;
    return block;
  }
}

/** Blocks as a stream that makes the next one when there is room for it. */
class BlockStream extends Readable {
  #first: Buffer | null;
  readonly #blocks: Blocks;
  readonly #onGone: () => void;

  constructor(first: Buffer | null, blocks: Blocks, onGone: () => void) {
    super({ highWaterMark: blockBytes });
    this.#first = first;
    this.#blocks = blocks;
    this.#onGone = onGone;
  }

  override _read(): void {
    const first = this.#first;
    if (first !== null) {
      this.#first = null;
      this.push(first);
      return;
    }
    this.#blocks.next().then(
      (block) => this.push(block),
      (error: unknown) => this.destroy(error instanceof Error ? error : new Error(String(error))),
    );
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#onGone();
    done(error);
  }
}
