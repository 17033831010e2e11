import type { FastifyReply, FastifyRequest } from 'fastify';
import Type from 'typebox';
import type { Control } from '../../control/control.js';
import { ConflictError, InputError } from '../../errors.js';
import { type EventType, eventTypes } from '../../events/event.js';
import { type ShareLimits, Shares } from '../../fairness/shares.js';
import type { Job } from '../../fairness/turns.js';
import { isName } from '../../model/rules.js';
import { openFiles } from '../../process/open-files.js';
import type { App } from '../app.js';
import { shareOf } from '../caller-share.js';
import type { CostlyCalls } from '../costly-calls.js';
import { takeReply } from '../raw-reply.js';
import { v1Responses } from '../schemas.js';
import { EventClient, type EventFilter, eventText } from './event-client.js';

/** Readers at once when nobody says how many. Each costs a connection and what waits for it. */
const defaultMaxReaders = 64;
const defaultMaxReadersPerAddress = 16;

const beatEveryMs = 15_000;

/** What a reader waits before it comes back, milliseconds. */
const retryMs = 2000;

const EventQuery = Type.Object(
  {
    camera: Type.Optional(Type.String({ maxLength: 6500, description: 'Names, separated by commas: only of these.' })),
    types: Type.Optional(
      Type.String({
        maxLength: 1000,
        description: 'Types or their first words, separated by commas: `push,camera.live`.',
      }),
    ),
    lastEventId: Type.Optional(
      Type.String({ pattern: '^[0-9]{1,16}$', description: 'As the header Last-Event-ID, which goes before it.' }),
    ),
    recent: Type.Optional(
      Type.String({
        pattern: '^[0-9]{1,4}$',
        description: 'Begin with this many of the events before, if no last event is named; `reset` follows them.',
      }),
    ),
    stats: Type.Optional(
      Type.String({ enum: ['0', '1'], description: '1: with figures of live cameras every two seconds, as `stats`.' }),
    ),
  },
  { additionalProperties: false },
);

const EventStreamSchema = Type.String({ description: 'text/event-stream; docs/events.md describes each event.' });

export interface EventStreamOptions {
  readonly control: Control;
  readonly costly: CostlyCalls;
  /** Readers at once: in all, and of one address (or one token at it). */
  readonly maxReaders?: number | undefined;
  readonly maxReadersPerAddress?: number | undefined;
}

/** `GET /v1/events`: what happens, as server-sent events. */
export function addEventStreamRoute(app: App, options: EventStreamOptions): void {
  const streams = new EventStreams(options);
  // A reader never leaves by itself: its connection would delay the shutdown.
  app.addHook('preClose', async () => streams.close());
  app.get(
    '/v1/events',
    {
      exposeHeadRoute: false,
      config: { scope: 'read' },
      schema: {
        operationId: 'followEvents',
        summary: 'What happens on this node, as server-sent events; resumes behind Last-Event-ID',
        tags: ['events'],
        querystring: EventQuery,
        response: v1Responses(
          { 200: { content: { 'text/event-stream': { schema: EventStreamSchema } } } },
          400,
          409,
          503,
        ),
      },
    },
    async (request, reply) => {
      const { camera, types, stats, lastEventId, recent = '0' } = request.query;
      const filter = { cameras: namesOf(camera), types: typesOf(types) };
      streams.open(request, reply, { filter, stats: stats === '1', lastEventId, recent: Number(recent) });
      return reply;
    },
  );
}

class EventStreams {
  readonly #control: Control;
  readonly #costly: CostlyCalls;
  readonly #limits: ShareLimits;
  readonly #shares: Shares;
  /** All that are open. */
  readonly #clients = new Set<EventClient>();
  /** Readers that are up to date and get new events. */
  readonly #following = new Set<EventClient>();
  /** Those that get figures too, with the job in whose turns they do. */
  readonly #withStats = new Map<EventClient, Job>();
  #beat: NodeJS.Timeout | null = null;
  #unfollow: (() => void) | null = null;
  #unfollowStats: (() => void) | null = null;

  constructor({ control, costly, maxReaders, maxReadersPerAddress }: EventStreamOptions) {
    this.#control = control;
    this.#costly = costly;
    this.#limits = {
      inAll: maxReaders ?? defaultMaxReaders,
      perKey: maxReadersPerAddress ?? defaultMaxReadersPerAddress,
    };
    this.#shares = new Shares(this.#limits);
  }

  open(
    request: FastifyRequest,
    reply: FastifyReply,
    wants: { filter: EventFilter; stats: boolean; lastEventId: string | undefined; recent: number },
  ): void {
    openFiles.requireRoomToStay();
    const share = shareOf(request);
    const leave = this.#shares.take(share);
    if (typeof leave === 'string') throw this.#tooMany(leave);
    const response = takeReply(reply, 200, {
      'content-type': 'text/event-stream; charset=utf-8',
      // nginx as a proxy would gather events.
      'x-accel-buffering': 'no',
    });
    const client = new EventClient(response, wants.filter, () => request.mayGoOn());
    client.write(`retry: ${retryMs}\n\n`);
    this.#clients.add(client);
    response.once('close', () => {
      leave();
      this.#clients.delete(client);
      this.#following.delete(client);
      this.#withStats.delete(client);
      this.#follow();
    });
    const job = this.#costly.turns.begin(share);
    const lastEventId = request.headers['last-event-id'] ?? wants.lastEventId;
    this.#resume(client, { lastEventId, recent: wants.recent }, job, () => {
      this.#following.add(client);
      if (wants.stats) this.#withStats.set(client, job);
      this.#follow();
    });
  }

  close(): void {
    for (const client of this.#clients) client.end();
  }

  #tooMany(limit: 'all' | 'share'): ConflictError {
    const { inAll, perKey } = this.#limits;
    const message =
      limit === 'all'
        ? `${inAll} readers follow the events, which is the limit (max-event-readers)`
        : `${perKey} readers from this address follow the events, which is its share (max-event-readers-per-address)`;
    return new ConflictError('LIMIT_REACHED', message);
  }

  #resume(
    client: EventClient,
    { lastEventId, recent }: { lastEventId: string | string[] | undefined; recent: number },
    job: Job,
    onCaughtUp: () => void,
  ): void {
    const { feed } = this.#control;
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
    void client.catchUp(feed, id, job, onCaughtUp);
  }

  /** The feed and the figures are followed only while somebody reads. */
  #follow(): void {
    const { feed, stats } = this.#control;
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

/** @throws InputError INVALID_REQUEST */
function namesOf(list: string | undefined): ReadonlySet<string> | undefined {
  if (list === undefined) return undefined;
  const names = list.split(',');
  const wrong = names.find((name) => !isName(name));
  if (wrong === undefined) return new Set(names);
  const message = `camera: ${JSON.stringify(wrong.slice(0, 80))} is no name of a camera; names are separated by commas`;
  throw new InputError('INVALID_REQUEST', message, { field: 'camera' });
}

/** @throws InputError INVALID_REQUEST */
function typesOf(list: string | undefined): ReadonlySet<string> | undefined {
  if (list === undefined) return undefined;
  const known = new Set<string>(eventTypes.flatMap((type: EventType) => [type, type.split('.', 1)[0] ?? '']));
  const types = list.split(',');
  const wrong = types.find((type) => !known.has(type));
  if (wrong === undefined) return new Set(types);
  const message = `types: ${JSON.stringify(wrong.slice(0, 80))} is no type of event; there are ${[...known].join(', ')}`;
  throw new InputError('INVALID_REQUEST', message, { field: 'types' });
}
