import type { Socket } from 'node:net';
import websocket from '@fastify/websocket';
import type { FastifyRequest } from 'fastify';
import Type, { type Static } from 'typebox';
import type { WebSocket } from 'ws';
import { endpointText } from '../../address/plain-address.js';
import type { FlvPlayback, ViewedTracks } from '../../backend/backend.js';
import type { Control } from '../../control/control.js';
import { ConflictError, codeOf } from '../../errors.js';
import { Shares } from '../../fairness/shares.js';
import { plural } from '../../plural.js';
import { openFiles } from '../../process/open-files.js';
import type { App } from '../app.js';
import { shareOf } from '../caller-share.js';
import { bytesPerUnit } from '../costly-calls.js';
import { takeReply } from '../raw-reply.js';
import { NoContentSchema, v1Responses } from '../schemas.js';
import { NameParams } from '../v1/requests.js';
import { HttpFlvSink } from './http-sink.js';
import { isWebSocketUpgrade, webSocketUpgrades } from './upgrades.js';
import { CloseCode, WebSocketFlvSink } from './websocket-sink.js';

/** Whether this request may see this camera. Throws a coded error when not. What is asked beyond the route's scope. */
export type PlayCheck = (camera: string, request: FastifyRequest) => void | Promise<void>;

/** How often viewers are asked whether they may still watch. */
const checkEveryMs = 3_000;

/** A viewer has nothing to say. */
const maxMessageBytes = 1024;

const FlvSchema = Type.String({ description: 'video/x-flv: FLV without an end, from the current key frame on.' });
const PictureQuery = Type.Object(
  {
    optional: Type.Optional(
      Type.String({
        enum: ['true', 'false'],
        description: 'true: where there is no picture, the answer is 204 and not 404.',
      }),
    ),
  },
  { additionalProperties: false },
);
const PictureSchema = Type.String({ description: 'video/mp4: the newest key frame, as a file of one picture.' });

declare module 'fastify' {
  interface FastifyRequest {
    /** Of a WebSocket: the viewer that was let in before the upgrade. */
    flvPlayback: FlvPlayback | null;
  }
}

const trackPattern = '^(default|all|[0-9]{1,2}|1[0-9]{2}|2[0-4][0-9]|25[0-5])$';

const TracksQuery = Type.Object({
  video: Type.Optional(
    Type.String({
      pattern: trackPattern,
      description:
        'Of a camera of several video tracks: the id of one, `default` (which is what comes without it), or `all`, as they came. With `all` for a kind, all of both kinds come.',
    }),
  ),
  audio: Type.Optional(Type.String({ pattern: trackPattern, description: 'The same of its audio tracks.' })),
});

/** What a viewer asks for; checked by the schema. */
function tracksOf(query: unknown): ViewedTracks {
  const { video = 'default', audio = 'default' } = query as Static<typeof TracksQuery>;
  if (video === 'all' || audio === 'all') return 'all';
  const one = (text: string): number | 'default' => (text === 'default' ? text : Number(text));
  return { video: one(video), audio: one(audio) };
}

export interface LiveRouteOptions {
  readonly control: Control;
  /** Viewers over HTTP and WebSocket at once, of all cameras. */
  readonly maxViewers: number;
  /** Of these, from one address, or with one token from it. */
  readonly maxViewersPerAddress: number;
  readonly mayPlay: PlayCheck;
  /** Told of each viewer's connection: the media backend looks after those. */
  readonly onViewer: (socket: Socket) => void;
}

/** Viewing: `GET /live/{name}.flv` over HTTP and WebSocket, and `GET /v1/cameras/{name}/picture`. */
export async function addLiveRoutes(app: App, options: LiveRouteOptions): Promise<void> {
  const { control, maxViewers, maxViewersPerAddress, mayPlay, onViewer } = options;
  const shares = new Shares({ inAll: maxViewers, perKey: maxViewersPerAddress });
  /** How each viewer is ended, what it gets, and whether it may still watch. */
  const viewers = new Map<() => void, { readonly playback: FlvPlayback; readonly request: FastifyRequest }>();
  // A token that was revoked shows nothing any more.
  const checks = setInterval(() => {
    for (const [end, { request }] of viewers) if (!request.mayGoOn()) end();
  }, checkEveryMs).unref();
  app.addHook('onClose', async () => clearInterval(checks));

  const open = async (camera: string, request: FastifyRequest): Promise<FlvPlayback> => {
    await mayPlay(camera, request);
    openFiles.requireRoomToStay();
    const giveBack = shares.take(shareOf(request));
    if (typeof giveBack === 'string') {
      const message =
        giveBack === 'all'
          ? `${plural(maxViewers, 'viewer')} watch over HTTP, which is the limit (max-http-viewers)`
          : `${plural(maxViewersPerAddress, 'viewer')} from this address watch over HTTP, which is its share (max-http-viewers-per-address)`;
      throw new ConflictError('LIMIT_REACHED', message);
    }
    try {
      return counted(await control.viewing.openFlv(camera, remoteOf(request), tracksOf(request.query)), giveBack);
    } catch (error) {
      giveBack();
      throw error;
    }
  };

  /** Counts a viewer from here on. @param close has it go @returns to be called once when it is gone */
  const count = (playback: FlvPlayback, request: FastifyRequest, close: () => void): (() => void) => {
    const end = (): void => {
      // Nothing is written behind the end.
      playback.leave();
      close();
    };
    viewers.set(end, { playback, request });
    onViewer(request.raw.socket);
    return () => {
      viewers.delete(end);
      playback.leave();
    };
  };

  await app.register(websocket, {
    options: {
      maxPayload: maxMessageBytes,
      perMessageDeflate: false,
      server: webSocketUpgrades(app.server),
    },
    // A client that breaks off is no failure of this program.
    errorHandler: (_error, socket) => socket.terminate(),
    // Viewers never leave by themselves: their connections would delay the shutdown.
    preClose: (done) => {
      const goodbyes = [...viewers].map(([end, { playback }]) => playback.flush().finally(end));
      void Promise.allSettled(goodbyes).then(() => done());
    },
  });
  // The plugin closes what it refused itself; what was refused before, for want of a token, it has not seen.
  app.addHook('onResponse', async (request) => {
    if (isWebSocketUpgrade(request.raw) && request.ws !== true) request.raw.socket.destroy();
  });
  app.decorateRequest('flvPlayback', null);

  const onSocket = (socket: WebSocket, request: FastifyRequest): void => {
    const playback = request.flvPlayback;
    if (playback === null) {
      socket.close(CloseCode.Failed);
      return;
    }
    const gone = count(playback, request, () => socket.close(CloseCode.GoingAway, 'no more from here'));
    const raw = request.raw.socket;
    raw.setKeepAlive(true, 30_000);
    raw.on('drain', () => playback.resume());
    socket.once('close', gone);
    if (socket.readyState !== socket.OPEN) gone();
    else playback.begin(new WebSocketFlvSink(socket, raw));
  };

  // In a context of its own, so that the plugin's hooks know the route.
  await app.register(async (scope: App) => {
    scope.route({
      method: 'GET',
      url: '/live/:name.flv',
      exposeHeadRoute: false,
      config: { scope: 'read', playTokens: true },
      schema: {
        operationId: 'watchCamera',
        summary:
          'A live camera as FLV: over HTTP without an end, or (with an upgrade) as binary messages of a WebSocket',
        tags: ['viewing'],
        params: NameParams,
        querystring: TracksQuery,
        response: v1Responses({ 200: { content: { 'video/x-flv': { schema: FlvSchema } } } }, 400, 404, 409, 501),
      },
      // Who may not see it, and what is not there, is refused before the upgrade, with a status like any other.
      preHandler: async (request) => {
        if (!request.ws) return;
        const playback = await open(request.params.name, request);
        request.flvPlayback = playback;
        // A handshake that fails now would leave it behind.
        request.raw.socket.once('close', () => playback.leave());
      },
      handler: async (request, reply) => {
        const playback = await open(request.params.name, request);
        const response = takeReply(reply, 200, { 'content-type': 'video/x-flv', 'x-accel-buffering': 'no' });
        const sink = new HttpFlvSink(response);
        const gone = count(playback, request, () => sink.end(null));
        response.socket?.setKeepAlive(true, 30_000);
        response.on('drain', () => playback.resume());
        response.once('close', gone);
        if (response.destroyed || response.socket?.destroyed === true) gone();
        else playback.begin(sink);
        return reply;
      },
      wsHandler: onSocket,
    });
  });

  app.get(
    '/v1/cameras/:name/picture',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'getPicture',
        summary: 'The newest key frame of a camera, as an MP4 file of one picture that browsers show',
        tags: ['viewing'],
        params: NameParams,
        querystring: PictureQuery,
        response: v1Responses(
          {
            200: { content: { 'video/mp4': { schema: PictureSchema } } },
            204: NoContentSchema,
            304: Type.Null({ description: 'It is the one you have.' }),
          },
          400,
          404,
          501,
        ),
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      await mayPlay(name, request);
      const known = /^"([0-9.]{1,40})"$/.exec(request.headers['if-none-match'] ?? '')?.[1];
      const picture = await control.viewing.picture(name, known).catch((error: unknown) => {
        const isNone = ['CAMERA_NOT_LIVE', 'NO_PICTURE'].includes(codeOf(error));
        if (isNone && request.query.optional === 'true') return undefined;
        throw error;
      });
      if (picture === undefined) return reply.code(204).send();
      const { tag, at, mp4 } = picture;
      request.charge?.((mp4?.length ?? 0) / bytesPerUnit);
      reply.headers({
        etag: `"${tag}"`,
        'last-modified': new Date(at).toUTCString(),
        'cache-control': 'private, max-age=1',
      });
      return mp4 === null ? reply.code(304).send() : reply.type('video/mp4').send(mp4);
    },
  );
}

/** A playback that gives back its place when it is left. */
function counted(playback: FlvPlayback, giveBack: () => void): FlvPlayback {
  return {
    begin: (sink) => playback.begin(sink),
    resume: () => playback.resume(),
    flush: () => playback.flush(),
    leave: () => {
      giveBack();
      playback.leave();
    },
  };
}

function remoteOf({ raw: { socket } }: FastifyRequest): string {
  return endpointText(socket.remoteAddress ?? 'unknown', socket.remotePort);
}
