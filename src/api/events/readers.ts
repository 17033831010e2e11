import type { FastifyReply, FastifyRequest } from 'fastify';
import { ConflictError } from '../../errors.js';
import { type ShareLimits, Shares } from '../../fairness/shares.js';
import type { Job } from '../../fairness/turns.js';
import { openFiles } from '../../process/open-files.js';
import { shareOf } from '../caller-share.js';
import type { CostlyCalls } from '../costly-calls.js';
import { takeReply } from '../raw-reply.js';
import { EventClient, type EventFilter, eventText } from './event-client.js';
import type { EventSource } from './event-source.js';

/** Readers at once when nobody says how many. Each costs a connection and what waits for it. */
const defaultMaxReaders = 64;
const defaultMaxReadersPerAddress = 16;
/** Other nodes that read for their readers: one stream of events and one of figures each, and those that end just now. */
const nodeLimits: ShareLimits = { inAll: 2000, perKey: 6 };

const beatEveryMs = 15_000;

/** What a reader waits before it comes back, milliseconds. */
const retryMs = 2000;

/** Who reads, counted over all sources. */
export class ReaderShares {
  readonly #limits: ShareLimits;
  readonly #people: Shares;
  readonly #nodes = new Shares(nodeLimits);

  constructor(limits: ShareLimits) {
    this.#limits = limits;
    this.#people = new Shares(limits);
  }

  /** @returns the way to give it back. @throws ConflictError LIMIT_REACHED */
  take(request: FastifyRequest): () => void {
    const isNode = request.caller?.kind === 'node';
    const leave = isNode ? this.#nodes.take(request.caller?.name ?? '') : this.#people.take(shareOf(request));
    if (typeof leave !== 'string') return leave;
    const { inAll, perKey } = this.#limits;
    const message = isNode
      ? 'the other nodes of the cluster follow the events as often as they may'
      : leave === 'all'
        ? `${inAll} readers follow the events, which is the limit (max-event-readers)`
        : `${perKey} readers from this address follow the events, which is its share (max-event-readers-per-address)`;
    throw new ConflictError('LIMIT_REACHED', message);
  }
}

export interface EventReadersOptions {
  readonly source: EventSource;
  readonly costly: CostlyCalls;
  /** Readers at once: in all, and of one address (or one token at it). */
  readonly maxReaders?: number | undefined;
  readonly maxReadersPerAddress?: number | undefined;
  /** Those that others count by, too; undefined: they are counted by themselves. */
  readonly shares?: ReaderShares;
}

/** The readers of one source of events. */
export class EventReaders {
  readonly shares: ReaderShares;
  readonly #source: EventSource;
  readonly #costly: CostlyCalls;
  /** All that are open. */
  readonly #clients = new Set<EventClient>();
  /** Readers that are up to date and get new events. */
  readonly #following = new Set<EventClient>();
  /** Those that get figures too, with the job in whose turns they do. */
  readonly #withStats = new Map<EventClient, Job>();
  #beat: NodeJS.Timeout | null = null;
  #unfollow: (() => void) | null = null;
  #unfollowStats: (() => void) | null = null;

  constructor({ source, costly, maxReaders, maxReadersPerAddress, shares }: EventReadersOptions) {
    this.#source = source;
    this.#costly = costly;
    const limits = {
      inAll: maxReaders ?? defaultMaxReaders,
      perKey: maxReadersPerAddress ?? defaultMaxReadersPerAddress,
    };
    this.shares = shares ?? new ReaderShares(limits);
    source.onLoss(() => {
      for (const client of this.#following) client.reset(source.feed.newestId, 'expired');
    });
  }

  /** @throws ConflictError LIMIT_REACHED */
  open(
    request: FastifyRequest,
    reply: FastifyReply,
    wants: { filter: EventFilter; stats: boolean; lastEventId: string | undefined; recent: number },
  ): void {
    openFiles.requireRoomToStay();
    const leave = this.shares.take(request);
    const response = takeReply(reply, 200, {
      'content-type': 'text/event-stream; charset=utf-8',
      // nginx as a proxy would gather events.
      'x-accel-buffering': 'no',
    });
    const source = this.#source;
    const client = new EventClient(
      response,
      wants.filter,
      () => request.mayGoOn(),
      () => source.unknown,
    );
    client.write(`retry: ${retryMs}\n\n`);
    this.#clients.add(client);
    const entered = source.enter();
    response.once('close', () => {
      leave();
      source.leave();
      this.#clients.delete(client);
      this.#following.delete(client);
      this.#withStats.delete(client);
      this.#follow();
    });
    const job = this.#costly.turns.begin(shareOf(request));
    const lastEventId = request.headers['last-event-id'] ?? wants.lastEventId;
    const onCaughtUp = (): void => {
      if (!client.isOpen) return;
      this.#following.add(client);
      if (wants.stats) this.#withStats.set(client, job);
      this.#follow();
    };
    this.#follow();
    void entered.then(() => this.#resume(client, { lastEventId, recent: wants.recent }, job, onCaughtUp));
  }

  close(): void {
    for (const client of this.#clients) client.end();
  }

  #resume(
    client: EventClient,
    { lastEventId, recent }: { lastEventId: string | string[] | undefined; recent: number },
    job: Job,
    onCaughtUp: () => void,
  ): void {
    const { feed, lostBefore } = this.#source;
    if (lastEventId === undefined || lastEventId === '') {
      const begin = (): void => {
        client.reset(feed.newestId, 'new');
        onCaughtUp();
      };
      if (recent === 0) begin();
      else
        void client.catchUp(
          feed,
          feed.idBefore(recent, (event) => client.wants(event)),
          job,
          begin,
        );
      return;
    }
    const id = /^[0-9]{1,16}$/.test(String(lastEventId)) ? Number(lastEventId) : Number.NaN;
    if (feed.knew(id) && id <= lostBefore) {
      client.reset(feed.newestId, 'expired');
      onCaughtUp();
    } else void client.catchUp(feed, id, job, onCaughtUp);
  }

  /** The feed and the figures are followed only while somebody reads. */
  #follow(): void {
    const { feed, stats } = this.#source;
    if (this.#clients.size > 0) {
      this.#unfollow ??= feed.subscribe((event) => {
        const text = eventText(event);
        for (const client of this.#following) client.send(event, text);
      });
      this.#beat ??= setInterval(() => {
        for (const client of this.#clients) client.beat();
      }, beatEveryMs).unref();
    } else {
      this.#unfollow?.();
      this.#unfollow = null;
      if (this.#beat !== null) clearInterval(this.#beat);
      this.#beat = null;
    }
    if (this.#withStats.size > 0) {
      this.#unfollowStats ??= stats.subscribe((changes, json) => {
        let block: Buffer | undefined;
        const encoded = (): Buffer => {
          block ??= Buffer.from(`event: stats\ndata: ${json()}\n\n`);
          return block;
        };
        for (const [client, job] of this.#withStats) client.sendFigures(changes, encoded, stats, job);
      });
    } else {
      this.#unfollowStats?.();
      this.#unfollowStats = null;
    }
  }
}
