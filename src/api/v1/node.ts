import Type, { type Static } from 'typebox';
import type { Scope } from '../../access/scopes.js';
import type { AnnouncementView } from '../../announce/announcer.js';
import type { Control } from '../../control/control.js';
import type { WebhookView } from '../../webhooks/receiver.js';
import type { App } from '../app.js';
import { ConfigViewSchema, NodeViewSchema } from '../node-schemas.js';
import { clusterPageSchema, v1Responses } from '../schemas.js';
import type { ApiSettings, SettingSources } from '../settings.js';
import type { ClusterView } from './cluster.js';
import { type OtherNodes, scopeOf } from './other-nodes.js';
import { nodeFields } from './requests.js';

export interface NodeRouteOptions {
  readonly control: Control;
  readonly settings: ApiSettings;
  readonly sources: SettingSources;
  /** What each setting is called elsewhere. */
  readonly names: Readonly<Record<string, readonly string[]>>;
  readonly version: string;
  readonly announcement: () => AnnouncementView | null;
  readonly webhooks: () => readonly WebhookView[];
  /** The cluster that this node belongs to; undefined: it is alone. */
  readonly cluster: () => ClusterView | undefined;
}

const SealedStateSchema = Type.Object(
  { keyId: Type.String({ description: 'Says which key it is, and nothing of it.' }) },
  { title: 'SealedState' },
);

/** What this node is and how it is set up. */
export function addNodeRoutes(app: App, options: NodeRouteOptions): void {
  const { control, settings, sources, names, version, announcement, webhooks, cluster } = options;

  const self = async (requestHost: string | undefined) => {
    const host = control.cameras.advertisedHost(requestHost);
    return {
      name: settings.resourceId,
      id: cluster()?.id ?? null,
      self: true,
      isDraining: control.node.isDraining || (cluster()?.drain.isOn ?? false),
      problems: [...control.node.problems],
      version,
      location: settings.location ?? null,
      backend: control.node.backendKind,
      startedAt: control.node.startedAt,
      status: (await control.node.isUp()) ? 'ok' : 'down',
      rtmp: { host, port: settings.rtmpPort },
      rtmps: settings.rtmpsPort === undefined ? null : { host, port: settings.rtmpsPort },
      srt: settings.srtPort === undefined ? null : { host, port: settings.srtPort },
      cameras: control.node.cameraCount,
      ...control.node.totals(),
      load: control.node.load,
      capacity: control.node.capacity,
      backendFacts: control.node.backendFacts,
      workers: control.node.workers,
      links: await control.links(),
    };
  };

  app.get(
    '/v1/nodes',
    {
      config: { scope: 'read', ofAllNodes: true },
      schema: {
        operationId: 'listNodes',
        summary: 'The aggregators: this one first, then the others of its cluster',
        tags: ['nodes'],
        querystring: Type.Object(nodeFields, { additionalProperties: false }),
        response: v1Responses({ 200: clusterPageSchema(NodeViewSchema) }, 400),
      },
    },
    async (request) => {
      const own = await self(request.headers.host);
      const others = request.isForSelf ? undefined : cluster()?.others;
      if (others === undefined) return { items: [own], next: null };
      const scope = scopeOf(request.caller);
      const asked = others.ids.map(async (id) => ({ id, view: await nodeAt(others, id, scope) }));
      const found = await Promise.all(asked);
      const unknown = found.flatMap(({ id, view }) => (view === undefined ? [id] : []));
      const items = [own, ...found.flatMap(({ view }) => (view === undefined ? [] : [{ ...view, self: false }]))];
      return { items, next: null, ...(unknown.length === 0 ? {} : { unknown }) };
    },
  );

  app.post(
    '/v1/state/seal',
    {
      config: { scope: 'admin' },
      schema: {
        operationId: 'sealState',
        summary: 'Write the state file anew, sealed with the first key of the seal-key file',
        tags: ['nodes'],
        response: v1Responses({ 200: SealedStateSchema }, 409, 503),
      },
    },
    async () => ({ keyId: await control.sealState() }),
  );

  app.get(
    '/v1/config',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'getConfig',
        summary:
          'The settings with where each comes from, what is wrong, and how the content manager took the announcement',
        tags: ['nodes'],
        response: v1Responses({ 200: ConfigViewSchema }),
      },
    },
    async () => {
      return {
        settings: Object.fromEntries(
          [...flatten(settings), ...withoutValue(settings, names)].map(([key, value]) => [
            key,
            {
              value: shown(value),
              source: sources[key] ?? 'default',
              ...(names[key] === undefined ? {} : { names: names[key] }),
            },
          ]),
        ),
        problems: control.node.problems,
        contentManager: announcement(),
        webhooks: webhooks(),
      };
    },
  );
}

/** `{media: {queueMaxBytes: 1}}` as `media.queueMaxBytes`; what is not set is null. */
function flatten(settings: object, prefix = ''): [string, unknown][] {
  return Object.entries(settings).flatMap(([key, value]: [string, unknown]): [string, unknown][] =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? flatten(value, `${prefix}${key}.`)
      : [[prefix + key, value ?? null]],
  );
}

/** The settings that are not set, which the object leaves out: they can be found by their names, too. */
function withoutValue(settings: object, names: NodeRouteOptions['names']): [string, null][] {
  const set = new Set(flatten(settings).map(([key]) => key));
  return Object.keys(names).flatMap((key): [string, null][] => (set.has(key) ? [] : [[key, null]]));
}

/** Hides the query of URLs: auth hooks may have a password there, and a token with the scope `read` must not see it. */
function shown(value: unknown): unknown {
  return typeof value === 'string' ? value.replace(/^(https?:\/\/[^?#]*)[?#].*$/i, '$1?***') : value;
}

/** How another node fares; undefined: it does not say. */
async function nodeAt(
  others: OtherNodes,
  id: string,
  scope: Scope,
): Promise<Static<typeof NodeViewSchema> | undefined> {
  try {
    const { status, bytes } = await others.ask(id, { method: 'GET', path: '/v1/nodes?node=self', scope });
    if (status !== 200) return undefined;
    const { items }: { items?: unknown } = Object(JSON.parse(bytes.toString()));
    const [view]: unknown[] = Array.isArray(items) ? items : [];
    return isNodeView(view, id) ? view : undefined;
  } catch {
    return undefined;
  }
}

/** What callers read of every node is there. A node of another version may tell more, and less beside. */
function isNodeView(view: unknown, id: string): view is Static<typeof NodeViewSchema> {
  const { id: told, name, problems, rtmp, workers, backendFacts } = Object(view) as Record<string, unknown>;
  const { host, port } = Object(rtmp) as Record<string, unknown>;
  return (
    told === id &&
    typeof name === 'string' &&
    Array.isArray(problems) &&
    problems.every((problem) => Object(problem) === problem) &&
    Array.isArray(workers) &&
    Object(backendFacts) === backendFacts &&
    typeof host === 'string' &&
    typeof port === 'number'
  );
}
