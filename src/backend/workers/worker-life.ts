/** The life of a media worker's process: it ends when it is told to, and when the supervisor is gone. */
import { Socket } from 'node:net';
import { endProcess } from '../../process/end-process.js';
import { Outbox } from './outbox.js';
import type { Order, Report } from './protocol.js';
import { Worker } from './worker.js';

/** How long the last words may take to leave. */
const lastWordsMs = 500;

const outbox = new Outbox((reports, sent) => {
  if (process.connected && process.send !== undefined) process.send(reports, undefined, undefined, () => sent());
  else sent();
});
let worker: Worker | undefined;
let shutdownTimeoutMs = 0;
let isOver = false;

process.on('uncaughtException', (error, origin) => {
  if (isOver) {
    void endProcess(1);
    return;
  }
  const { message, stack = message } = error;
  outbox.add({ type: 'log', level: 'error', message: 'uncaught exception', fields: { origin, error: stack } });
  exitSoon(1);
});

// Node would write to standard error by itself, and wait for who reads it.
process.removeAllListeners('warning');
process.on('warning', ({ name, message }) => {
  outbox.add({ type: 'log', level: 'warn', message: 'Node.js warns', fields: { name, reason: message } });
});

process.on('message', (message, handle) => {
  const order = message as Order;
  if (order.type === 'begin') {
    const { number, media } = order.settings;
    process.title = `media-aggregator worker ${number}`;
    shutdownTimeoutMs = media.shutdownTimeoutMs;
    worker = new Worker(order.settings, report);
    void worker.start();
    return;
  }
  worker?.obey(order, handle instanceof Socket ? handle : undefined);
});

// The supervisor is gone: nobody would tell this process what to do, or that its time is over.
process.once('disconnect', () => {
  if (!isOver) void (worker?.stop(shutdownTimeoutMs) ?? exitSoon(0));
});

function report(each: Report): void {
  outbox.add(each);
  if (each.type === 'done') exitSoon(0);
}

function exitSoon(code: number): void {
  isOver = true;
  outbox.flush(() => void endProcess(code));
  setTimeout(() => void endProcess(code), lastWordsMs);
}
