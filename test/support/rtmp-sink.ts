import { createServer, type Socket } from 'node:net';
import { type Amf, ChunkParser, decodeAmf, encodeCommand, type RawMessage } from './rtmp-bytes.js';
import type { Scope } from './scope.js';

/** One publisher's connection at the sink, as far as it came. */
export interface SinkConnection {
  /** Names of the commands received, in order. */
  readonly commands: string[];
  readonly messages: RawMessage[];
  /** The publisher ended the connection; in order (`end`) or by a reset (`error`). */
  ended: 'end' | 'error' | undefined;
  /** The command object of `connect`. */
  said: Record<string, unknown>;
  /** Says something of its own accord, on message stream 0. */
  tell(info: Record<string, string>): void;
  /** Ends the connection at once. */
  cut(): void;
}

export interface RtmpSink {
  readonly port: number;
  url(name: string): string;
  readonly connections: SinkConnection[];
}

export interface RtmpSinkOptions {
  /** True: accepts the publishing, then never reads again, as a target whose network is gone. */
  stalls?: boolean;
  /** What it does with a connect: more properties for its answer, or no. Default: accepts, and says nothing more. */
  onConnect?: (said: Record<string, unknown>) => Record<string, Amf> | 'refuse' | 'close';
  /** Where it sends the publisher of a connect instead, as a tcUrl; undefined: it takes it itself. */
  redirects?: (said: Record<string, unknown>) => string | undefined;
  /** False: it takes what comes, and does not answer `publish`. */
  answersPublish?: () => boolean;
}

/** A target that writes down what its publishers say. */
export async function startRtmpSink(scope: Scope, options: RtmpSinkOptions = {}): Promise<RtmpSink> {
  const connections: SinkConnection[] = [];
  const server = createServer((socket) => {
    scope.defer(() => socket.destroy());
    connections.push(serve(socket, options));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  scope.defer(() => server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the sink has no port');
  const { port } = address;
  return { port, url: (name) => `rtmp://127.0.0.1:${port}/live/${name}`, connections };
}

function serve(
  socket: Socket,
  { stalls = false, onConnect, redirects, answersPublish }: RtmpSinkOptions,
): SinkConnection {
  const connection: SinkConnection = {
    ...{ commands: [], messages: [], ended: undefined, said: {} },
    cut: () => socket.destroy(),
    tell: (info) => {
      socket.write(encodeCommand(0, 'onStatus', 0, null, info));
    },
  };
  const parser = new ChunkParser();
  let received: Buffer = Buffer.alloc(0);
  /** 0: waits for C0 and C1. 1: waits for C2. 2: chunks. */
  let step = 0;

  socket.on('error', () => {
    connection.ended ??= 'error';
  });
  socket.on('end', () => {
    connection.ended ??= 'end';
  });
  socket.on('data', (data) => {
    received = Buffer.concat([received, data]);
    if (step === 0 && received.length >= 1537) {
      const own = Buffer.concat([Buffer.alloc(8), Buffer.alloc(1528, 0xa5)]);
      socket.write(Buffer.concat([Buffer.from([3]), own, received.subarray(1, 1537)]));
      received = received.subarray(1537);
      step = 1;
    }
    if (step === 1 && received.length >= 1536) {
      received = received.subarray(1536);
      step = 2;
    }
    if (step < 2) return;
    for (const message of parser.feed(received)) {
      connection.messages.push(message);
      if (message.type === 20) answer(decodeAmf(message.payload));
    }
    received = Buffer.alloc(0);
  });

  function answer([name, transaction, said]: Amf[]): void {
    connection.commands.push(String(name));
    const id = Number(transaction);
    if (name === 'connect') {
      connection.said = { ...(said as Record<string, unknown>) };
      const redirect = redirects?.(connection.said);
      if (redirect !== undefined) {
        const ex = { code: 302, redirect };
        const info = { level: 'error', code: 'NetConnection.Connect.Rejected', description: 'elsewhere', ex };
        socket.write(encodeCommand(0, '_error', id, null, info));
        return;
      }
      const more = onConnect?.(connection.said) ?? {};
      if (more === 'close') {
        socket.end();
        return;
      }
      if (more === 'refuse') {
        const no = { level: 'error', code: 'NetConnection.Connect.Rejected', description: 'no' };
        socket.write(encodeCommand(0, '_error', id, null, no));
        return;
      }
      const info = { level: 'status', code: 'NetConnection.Connect.Success', description: 'ok', objectEncoding: 0 };
      socket.write(encodeCommand(0, '_result', id, { fmsVer: 'FMS/3,0,1,123', capabilities: 31, ...more }, info));
    } else if (name === 'createStream') {
      socket.write(encodeCommand(0, '_result', id, null, 1));
    } else if (name === 'publish' && answersPublish?.() !== false) {
      const info = { level: 'status', code: 'NetStream.Publish.Start', description: 'ok' };
      socket.write(encodeCommand(1, 'onStatus', 0, null, info));
      if (stalls) socket.pause();
    }
  }
  return connection;
}
