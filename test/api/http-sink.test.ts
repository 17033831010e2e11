import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { HttpFlvSink } from '../../src/api/live/http-sink.js';
import { waitFor } from '../support/wait.js';

const cleanups: (() => void)[] = [];
afterEach(() => {
  while (cleanups.length > 0) cleanups.pop()?.();
});

/** A viewer over HTTP, and the sink of what it gets. */
async function view(limitMs: number) {
  let sink: HttpFlvSink | undefined;
  let isClosed = false;
  const server = createServer((_request, response) => {
    sink = new HttpFlvSink(response, limitMs);
    response.once('close', () => {
      isClosed = true;
    });
  }).listen(0, '127.0.0.1');
  cleanups.push(() => server.close());
  await waitFor(() => server.listening, { what: 'a listener' });
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  cleanups.push(() => socket.destroy());
  socket.on('error', () => {}).write('GET / HTTP/1.1\r\nhost: test\r\n\r\n');
  await waitFor(() => sink !== undefined, { what: 'a request' });
  return { sink: sink!, socket, isClosed: () => isClosed };
}

const bytes = 12_000_000;

it('a viewer that takes nothing of the end of a stream does not hold its connection for ever', async () => {
  const { sink, isClosed } = await view(200);
  sink.write(Buffer.alloc(bytes));
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(sink.pendingBytes).toBeGreaterThan(0);
  sink.end(null);
  // The owner may say so again.
  sink.end(null);
  await waitFor(isClosed, { what: 'the end of its connection' });
});

it('a viewer that reads gets all of it', async () => {
  const { sink, socket, isClosed } = await view(30_000);
  let read = 0;
  let last = '';
  sink.write(Buffer.alloc(bytes));
  sink.end(null);
  socket.on('data', (data) => {
    read += data.length;
    last = data.toString('latin1').slice(-5);
  });
  await waitFor(() => isClosed() && last === '0\r\n\r\n', { what: 'the last chunk' });
  expect(read).toBeGreaterThan(bytes);
});
