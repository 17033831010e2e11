import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { CameraSnapshot } from '../../src/backend/backend.js';
import { LogLevels } from '../../src/log/levels.js';
import { silentLogger } from '../../src/log/log.js';
import { cameraSnapshot, pushSnapshot } from '../control/fake-backend.js';
import { startTestApi, type TestApi } from './harness.js';

export const cameraNames = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `camera-${String(index).padStart(5, '0')}`);
const pushIds = ['p-1', 'p-2', 'p-3'];

/** The text of a state.json with so many cameras of three pushes each. */
export function largeState(count: number, host = 'engine.example.org'): string {
  const push = (camera: string, id: string) => ({ url: `rtmp://${host}/live/${camera}-${id}`, enabled: true });
  const camera = (name: string) => ({ pushes: Object.fromEntries(pushIds.map((id) => [id, push(name, id)])) });
  const cameras = Object.fromEntries(cameraNames(count).map((name) => [name, camera(name)]));
  return JSON.stringify({ version: 1, cameras, engines: {} }, null, 2);
}

/** What a backend sees of such a camera while it is live. */
function liveSnapshot(name: string): CameraSnapshot {
  return cameraSnapshot({ name, live: true, pushes: pushIds.map((id) => pushSnapshot({ id })) });
}

/** An API over a node with so many cameras, each with three pushes, of which so many are live. */
export async function startLargeNode(count: number, live = count): Promise<TestApi> {
  const settings = { maxCameras: 20_000, apiRateLimit: 0 };
  const api = await startTestApi(settings, silentLogger, new LogLevels('info'), (folder) =>
    writeFile(join(folder, 'state.json'), largeState(count)),
  );
  for (const name of cameraNames(live)) api.backend.snapshots.set(name, liveSnapshot(name));
  return api;
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: string;
  readonly body: string;
}

/** Gets a path with hardly any work in this process while it comes; what it was is made of it afterwards. */
export async function rawGet(port: number, path: string, headers = ''): Promise<() => RawAnswer> {
  const blocks: Buffer[] = [];
  await new Promise<void>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () =>
      socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n${headers}\r\n`),
    );
    socket.on('data', (block) => blocks.push(block));
    socket.once('error', reject);
    socket.once('close', () => resolve());
  });
  return () => parse(Buffer.concat(blocks));
}

function parse(answer: Buffer): RawAnswer {
  const end = answer.indexOf('\r\n\r\n');
  const headers = answer.subarray(0, end).toString();
  const isChunked = /^transfer-encoding: chunked$/im.test(headers);
  const rest = answer.subarray(end + 4);
  const body = isChunked ? dechunked(rest) : rest;
  return { status: Number(headers.slice(9, 12)), headers, body: body.toString() };
}

function dechunked(bytes: Buffer): Buffer {
  const chunks: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    const length = Number.parseInt(bytes.subarray(at, lineEnd).toString(), 16);
    if (!(length > 0)) return Buffer.concat(chunks);
    chunks.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + length));
    at = lineEnd + 2 + length + 2;
  }
}
