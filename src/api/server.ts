import type { Socket } from 'node:net';
import swagger from '@fastify/swagger';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import fastify from 'fastify';
import type { TSchema } from 'typebox';
import type { Access } from '../access/access.js';
import { type ApiAddress, OwnSocket } from '../access/own-socket.js';
import type { AnnouncementView } from '../announce/announcer.js';
import type { Control } from '../control/control.js';
import type { Discovery } from '../discovery/discovery.js';
import { CodedError, messageOf } from '../errors.js';
import type { LogLevels } from '../log/levels.js';
import type { Logger } from '../log/log.js';
import type { CertificateProblem } from '../tls/certificate.js';
import type { WebhookView } from '../webhooks/receiver.js';
import type { App } from './app.js';
import { addBodyParser } from './body.js';
import { addContentManagerRoutes } from './content-manager/routes.js';
import { CostlyCalls } from './costly-calls.js';
import { addDashboard } from './dashboard.js';
import { describeAccess, securitySchemes } from './describe-access.js';
import { addDocsPage } from './docs-page.js';
import { bodyLimitBytes, errorHandler, failureBody, type Refusal, refusalOf, sendRefusal } from './errors.js';
import { addGuard } from './guard.js';
import { addHealthRoutes } from './health.js';
import { Listener } from './listener.js';
import { addLiveRoutes, type PlayCheck } from './live/routes.js';
import { MethodTable } from './methods.js';
import { addMetricsRoute } from './metrics.js';
import { nameSchemas } from './openapi-document.js';
import { addPreconditions } from './preconditions.js';
import { type RouteAccess, watchScopes } from './route-scope.js';
import { addSecurityHeaders } from './security-headers.js';
import type { ApiSettings, SettingSources } from './settings.js';
import type { TestPatterns } from './test-patterns.js';
import { addAccessRoutes } from './v1/access.js';
import { addBatchRoute } from './v1/batch.js';
import { addCameraRoutes } from './v1/cameras.js';
import { addClusterRoutes, type ClusterView } from './v1/cluster.js';
import { ClusterCameras } from './v1/cluster-cameras.js';
import { addDiscoveryRoutes } from './v1/discovery.js';
import { addEngineRoutes } from './v1/engines.js';
import { addEventStreamRoute } from './v1/event-stream.js';
import { addHistoryRoute } from './v1/history.js';
import { addLogRoutes } from './v1/log.js';
import { addNodeRoutes } from './v1/node.js';
import { addOtherNodes } from './v1/other-nodes.js';
import { addPushRoutes } from './v1/pushes.js';
import { addRefusedPublishersRoute } from './v1/refused-publishers.js';
import { addTestPatternRoutes } from './v1/test-pattern.js';
import { compilePart } from './validation.js';

export interface ApiOptions {
  readonly control: Control;
  readonly settings: ApiSettings;
  /** Who may call it. */
  readonly access: Access;
  readonly log: Logger;
  readonly version: string;
  /** True for ports on which another part of this program listens later; one that the system chose is none of them. */
  readonly isPromised?: (port: number) => boolean;
  /** Where each setting comes from, for /v1/config; what is not named is a default. */
  readonly settingSources?: SettingSources;
  /** What each setting is called in flags, files and the environment, for /v1/config. */
  readonly settingNames?: Readonly<Record<string, readonly string[]>>;
  /** How the content manager took the announcement, for /v1/config; null: there is none to tell. */
  readonly announcement?: () => AnnouncementView | null;
  /** How the receivers of events take them, for /v1/config and /metrics; undefined: there are none. */
  readonly webhooks?: () => readonly WebhookView[];
  /** The cluster that this node belongs to; undefined: it is alone. */
  readonly cluster?: () => ClusterView | undefined;
  /** Whether a request may see a camera; undefined: whoever has the scope `read`. */
  readonly mayPlay?: PlayCheck;
  /** The built dashboard, to be served at `/`; undefined, or a folder without it: none. */
  readonly webFolder?: string;
  /** Who publishes the sample clip as a camera; undefined: nobody, and there are no routes for it. */
  readonly testPatterns?: TestPatterns;
  /** Who finds cameras in the network; undefined: nobody, and there are no routes for it. */
  readonly discovery?: Discovery;
  /** What is logged; undefined: it cannot be changed, and there are no routes for it. */
  readonly logLevels?: LogLevels;
  /** Where the socket for the commands of this machine lies; undefined: there is none. */
  readonly socketFolder?: string;
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Every route with what it asks of its callers. */
    routeScopes(): RouteAccess[];
  }
}

export interface RunningApi {
  readonly host: string;
  readonly port: number;
  /** The socket for the commands of this machine; undefined where none could be made. */
  readonly socketPath?: string | undefined;
  /** What is wrong with its certificate. */
  problems(): readonly CertificateProblem[];
  /** The OpenAPI document, with every schema where it is used. */
  describe(): object;
  /** Takes no more requests, lets those under way finish, closes all connections. */
  close(): Promise<void>;
}

/** Viewers over HTTP when nobody says how many. */
const defaultMaxViewers = 1000;
const defaultMaxViewersPerAddress = 250;

/**
 * Serves the API.
 * @throws CodedError ADDRESS_IN_USE or TLS_CERTIFICATE; what else the system throws (EACCES, EADDRNOTAVAIL) is passed on
 */
export async function startApi(options: ApiOptions): Promise<RunningApi> {
  const { host } = options.settings;
  const { app, listener, port } = await listen(options);
  const scheme = listener.isSecure ? 'https' : 'http';
  const socket = await openOwnSocket(app, options, { scheme, port });
  const close = async () => {
    await Promise.all([app.close(), socket?.close()]);
  };
  const problems = () => listener.problems;
  return { host, port, socketPath: socket?.path, problems, describe: () => app.swagger(), close };
}

interface Listening {
  readonly app: App;
  readonly listener: Listener;
  readonly port: number;
}

async function listen(options: ApiOptions): Promise<Listening> {
  const { settings: given, isPromised = () => false } = options;
  const listener = new Listener({ ...given, maxHttpViewers: given.maxHttpViewers ?? defaultMaxViewers }, options.log);
  const app = await buildApi(options, listener);
  const { host, apiPort } = options.settings;
  try {
    await app.listen({ host, port: apiPort });
  } catch (error) {
    await app.close();
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
      throw new CodedError('ADDRESS_IN_USE', `port ${apiPort} on ${host} is in use by another program`, {
        cause: error,
      });
    }
    throw error;
  }
  const address = app.server.address();
  const port = typeof address === 'object' && address !== null ? address.port : apiPort;
  if (apiPort !== 0 || !isPromised(port)) return { app, listener, port };
  // While this one is held, the system chooses another.
  return listen(options).finally(() => app.close());
}

async function openOwnSocket(
  app: App,
  { socketFolder, log }: ApiOptions,
  address: ApiAddress,
): Promise<OwnSocket | undefined> {
  if (socketFolder === undefined) return undefined;
  try {
    return await OwnSocket.open(socketFolder, (request, response) => app.routing(request, response), address);
  } catch (error) {
    // Some network and exchange file systems have no sockets. The commands then come by TCP.
    log.warn('the data folder cannot hold a Unix socket; commands on this machine use the port of the API', {
      error: messageOf(error),
    });
    return undefined;
  }
}

/** The API without a port: for `startApi`, and for whoever only wants its description. */
export async function buildApi(options: ApiOptions, listener = new Listener({}, options.log)): Promise<App> {
  const { access, control, settings, log, version } = options;
  const app: App = fastify({
    bodyLimit: bodyLimitBytes,
    serverFactory: listener.create,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    routerOptions: { maxParamLength: 256 },
    frameworkErrors: (error, request, reply) => {
      sendRefusal(request, reply, refusalOf(error));
    },
    clientErrorHandler: answerBrokenRequest,
  }).withTypeProvider<TypeBoxTypeProvider>();

  // The content manager sends a body with GET.
  app.addHttpMethod('GET', { hasBody: true, overrideExisting: true });
  addBodyParser(app);
  app.setValidatorCompiler<TSchema>(({ schema, httpPart }) => compilePart(schema, httpPart ?? 'request'));
  // Answers are what control says; the schemas describe them and cut nothing off.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.setErrorHandler(errorHandler(log));
  app.addHook('onClose', async () => listener.close());
  addSecurityHeaders(app);
  const isPlayToken = (camera: string, token: string): boolean => control.cameras.isPlayToken(camera, token);
  addGuard(app, { access, callsPerSecond: settings.apiRateLimit ?? 0, isPlayToken });

  app.decorate('routeScopes', watchScopes(app));
  const methods = new MethodTable();
  methods.watch(app);
  app.setNotFoundHandler((request, reply) => {
    const allowed = methods.methodsOf(request.url);
    if (allowed.length > 0) reply.header('allow', allowed.join(', '));
    return sendRefusal(request, reply, notFound(request.method, request.url, allowed));
  });

  addPreconditions(app, control);
  describeAccess(app);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'media aggregator',
        description: 'Receives live video from cameras over RTMP and redirects each camera to any number of targets.',
        version,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      components: { securitySchemes },
    },
  });
  const described = () => nameSchemas(app.swagger()).document;
  let document: string | undefined;
  app.get('/openapi.json', { config: { scope: 'public' }, schema: { hide: true } }, async (_, reply) => {
    document ??= JSON.stringify(described());
    return reply.type('application/json; charset=utf-8').serializer(String).send(document);
  });
  // Made before the first caller comes: for him it would be a hold.
  app.addHook('onListen', async () => {
    document ??= JSON.stringify(described());
  });
  addDocsPage(app, described);
  addHealthRoutes(app, control);
  const { webhooks = () => [], cluster = () => undefined } = options;
  const others = () => cluster()?.others;
  addOtherNodes(app, control, others);
  const costly = new CostlyCalls();
  app.addHook('preClose', async () => costly.close());
  addMetricsRoute(app, { control, version, webhooks, costly, maxSeries: settings.metricsMaxSeries });
  const all = new ClusterCameras(control, others);
  addContentManagerRoutes(app, control, settings.resourceId, all);
  addCameraRoutes(app, control, costly, all);
  addBatchRoute(app, control, costly);
  addPushRoutes(app, control, costly, all, others);
  addRefusedPublishersRoute(app, control);
  addEngineRoutes(app, control, costly);
  const { maxEventReaders: maxReaders, maxEventReadersPerAddress: maxReadersPerAddress } = settings;
  addEventStreamRoute(app, { control, costly, maxReaders, maxReadersPerAddress, cluster });
  addHistoryRoute(app, control, costly, all);
  await addLiveRoutes(app, {
    control,
    maxViewers: settings.maxHttpViewers ?? defaultMaxViewers,
    maxViewersPerAddress: settings.maxHttpViewersPerAddress ?? defaultMaxViewersPerAddress,
    mayPlay: options.mayPlay ?? (() => {}),
    onViewer: (socket) => listener.leave(socket),
  });
  const { settingSources: sources = {}, settingNames: names = {}, announcement = () => null } = options;
  addAccessRoutes(app, access);
  addNodeRoutes(app, { control, settings, sources, names, version, announcement, webhooks, cluster });
  addClusterRoutes(app, cluster);
  if (options.testPatterns !== undefined) addTestPatternRoutes(app, control, options.testPatterns);
  if (options.discovery !== undefined) addDiscoveryRoutes(app, control, options.discovery);
  if (options.logLevels !== undefined) {
    addLogRoutes(app, { control, log, levels: options.logLevels, configured: options.logLevels.level });
  }
  if (options.webFolder !== undefined) await addDashboard(app, options.webFolder);
  await app.ready();
  return app;
}

function notFound(method: string, url: string, allowed: readonly string[]): Refusal {
  const path = url.split('?', 1)[0]?.slice(0, 100);
  if (allowed.length === 0) return { status: 404, code: 'NOT_FOUND', message: `there is no path ${path}` };
  const message = `${path} does not allow ${method}, but ${allowed.join(', ')}`;
  return { status: 405, code: 'NOT_FOUND', message };
}

/** A request that is no HTTP, is too slow or has too many headers: Node's parser gave up on it. */
function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  // Without a TLS connection there is nothing to answer by.
  const isUnheard = error.code === 'ECONNRESET' || /^ERR_(?:TLS|SSL)_/.test(error.code ?? '');
  if (isUnheard || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const slow = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const large = error.code === 'HPE_HEADER_OVERFLOW';
  const status = slow ? '408 Request Timeout' : large ? '431 Request Header Fields Too Large' : '400 Bad Request';
  const message = slow ? 'the request took too long' : large ? 'the headers are too large' : 'this is not HTTP/1.1';
  const { type, text } = failureBody('/', { status: Number.parseInt(status, 10), code: 'INVALID_REQUEST', message });
  const head = `HTTP/1.1 ${status}\r\ncontent-type: ${type}\r\ncontent-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n`;
  socket.end(head + text, () => socket.destroy());
  // A peer that does not take the answer keeps nothing open.
  setTimeout(() => socket.destroy(), 1000).unref();
}
