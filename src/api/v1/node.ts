import type { AnnouncementView } from '../../announce/announcer.js';
import type { Control } from '../../control/control.js';
import type { WebhookView } from '../../webhooks/receiver.js';
import type { App } from '../app.js';
import { ConfigViewSchema, NodeViewSchema, pageSchema, v1Responses } from '../schemas.js';
import type { ApiSettings, SettingSources } from '../settings.js';

export interface NodeRouteOptions {
  readonly control: Control;
  readonly settings: ApiSettings;
  readonly sources: SettingSources;
  readonly version: string;
  readonly announcement: () => AnnouncementView | null;
  readonly webhooks: () => readonly WebhookView[];
}

/** What this node is and how it is set up. */
export function addNodeRoutes(app: App, options: NodeRouteOptions): void {
  const { control, settings, sources, version, announcement, webhooks } = options;

  app.get(
    '/v1/nodes',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'listNodes',
        summary: 'The aggregators: this one',
        tags: ['nodes'],
        response: v1Responses({ 200: pageSchema(NodeViewSchema) }),
      },
    },
    async (request) => {
      const host = control.cameras.advertisedHost(request.headers.host);
      const node = {
        name: settings.resourceId,
        self: true,
        version,
        location: settings.location ?? null,
        backend: control.node.backendKind,
        startedAt: control.node.startedAt,
        status: (await control.node.isUp()) ? 'ok' : 'down',
        rtmp: { host, port: settings.rtmpPort },
        rtmps: settings.rtmpsPort === undefined ? null : { host, port: settings.rtmpsPort },
        cameras: control.node.cameraCount,
        ...control.node.totals(),
        backendFacts: control.node.backendFacts,
        workers: control.node.workers,
      };
      return { items: [node], next: null };
    },
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
          flatten(settings).map(([key, value]) => [key, { value: shown(value), source: sources[key] ?? 'default' }]),
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

/** Hides the query of URLs: auth hooks may have a password there, and a token with the scope `read` must not see it. */
function shown(value: unknown): unknown {
  return typeof value === 'string' ? value.replace(/^(https?:\/\/[^?#]*)[?#].*$/i, '$1?***') : value;
}
