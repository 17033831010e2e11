import Type from 'typebox';
import type { Control } from '../../control/control.js';
import { InputError } from '../../errors.js';
import { type EventType, eventTypes } from '../../events/event.js';
import { isName } from '../../model/rules.js';
import type { App } from '../app.js';
import type { CostlyCalls } from '../costly-calls.js';
import { ClusterEvents } from '../events/cluster-events.js';
import { ownEvents } from '../events/event-source.js';
import { EventReaders } from '../events/readers.js';
import { v1Responses } from '../schemas.js';
import type { ClusterView } from './cluster.js';
import { nodeFields } from './requests.js';

const EventQuery = Type.Object(
  {
    ...nodeFields,
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
  /** The cluster that this node belongs to; undefined: it is alone. */
  readonly cluster?: () => ClusterView | undefined;
}

/** `GET /v1/events`: what happens, as server-sent events. */
export function addEventStreamRoute(app: App, options: EventStreamOptions): void {
  const { control, cluster = () => undefined } = options;
  const own = new EventReaders({ ...options, source: ownEvents(control) });
  let all: { readonly events: ClusterEvents; readonly readers: EventReaders } | undefined;
  /** Of all nodes, once this one has joined them. */
  const readersOfAll = (): EventReaders | undefined => {
    const joined = all === undefined ? cluster() : undefined;
    if (joined !== undefined) {
      const events = new ClusterEvents(control, joined.others, joined.id);
      all = { events, readers: new EventReaders({ ...options, source: events, shares: own.shares }) };
    }
    return all?.readers;
  };
  // A reader never leaves by itself: its connection would delay the shutdown.
  app.addHook('preClose', async () => {
    own.close();
    all?.readers.close();
    all?.events.close();
  });
  app.get(
    '/v1/events',
    {
      exposeHeadRoute: false,
      config: { scope: 'read', ofAllNodes: true },
      schema: {
        operationId: 'followEvents',
        summary: 'What happens, on all nodes of a cluster, as server-sent events; resumes behind Last-Event-ID',
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
      const readers = (request.isForSelf ? undefined : readersOfAll()) ?? own;
      readers.open(request, reply, { filter, stats: stats === '1', lastEventId, recent: Number(recent) });
      return reply;
    },
  );
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
