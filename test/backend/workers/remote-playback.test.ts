import { expect, it } from 'vitest';
import type { FlvPlayback, FlvSink } from '../../../src/backend/backend.js';
import { RemotePlayback } from '../../../src/backend/workers/remote-playback.js';
import { ViewingServer } from '../../../src/backend/workers/viewing-server.js';
import type { CodedError } from '../../../src/errors.js';
import { waitFor, within } from '../../support/wait.js';

/** A stream at a worker, of which something waits to be sent together with what comes next. */
class Windowed implements FlvPlayback {
  readonly #waiting: Buffer;
  #sink: FlvSink | null = null;

  constructor(waiting: Buffer) {
    this.#waiting = waiting;
  }

  begin(sink: FlvSink): void {
    this.#sink = sink;
    sink.write(Buffer.from('begun'));
  }

  async flush(): Promise<void> {
    this.#sink?.write(this.#waiting);
  }

  resume(): void {}

  leave(): void {
    this.#sink = null;
  }
}

async function watch(waiting: Buffer, takes: (read: Buffer) => boolean) {
  const secret = 'a secret';
  const server = new ViewingServer(secret, { openFlv: async () => new Windowed(waiting), adopt() {} });
  const port = await server.listen();
  const over: number[] = [];
  const request = { secret, camera: 'gate', remote: 'test', tracks: 'all' } as const;
  const playback = await RemotePlayback.open(port, request, { stallTimeoutMs: 5000, onOver: () => over.push(1) });
  const read: Buffer[] = [];
  const ends: (CodedError | null)[] = [];
  playback.begin({
    pendingBytes: 0,
    progress: 0,
    write: (data) => {
      read.push(Buffer.from(data));
      return takes(Buffer.concat(read));
    },
    end: (reason) => ends.push(reason),
  });
  await waitFor(() => Buffer.concat(read).toString().startsWith('begun'), { what: 'the beginning' });
  return { server, playback, bytes: () => Buffer.concat(read), over, ends };
}

it('has what waits at the worker before it is ended', async () => {
  const rest = Buffer.alloc(3_000_000, 7);
  const { server, playback, bytes, over, ends } = await watch(rest, () => true);
  await within(playback.flush(), 20_000, 'the rest');
  expect(bytes().equals(Buffer.concat([Buffer.from('begun'), rest]))).toBe(true);
  // Its owner ends the viewer, for a reason of its own.
  expect(ends).toEqual([]);
  playback.leave();
  expect(over).toEqual([1]);
  await within(playback.flush(), 20_000, 'nothing');
  server.close();
});

it('waits for no viewer that takes nothing', async () => {
  const { server, playback, bytes } = await watch(Buffer.alloc(3_000_000), () => false);
  await within(playback.flush(), 20_000, 'the deadline');
  expect(bytes().length).toBeLessThan(3_000_000);
  playback.leave();
  server.close();
});
