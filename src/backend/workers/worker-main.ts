/**
 * The process of a media worker: the supervisor forks this file. It ends when it is told to, and when the supervisor is
 * gone; signals that a terminal or a service manager sends to all processes of a group are the supervisor's affair.
 */
import { Socket } from 'node:net';
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

process.on('SIGTERM', () => {});
process.on('SIGINT', () => {});
process.once('uncaughtException', (error, origin) => {
  const { message, stack = message } = error;
  outbox.add({ type: 'log', level: 'error', message: 'uncaught exception', fields: { origin, error: stack } });
  exitSoon(1);
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
  outbox.flush(() => process.exit(code));
  setTimeout(() => process.exit(code), lastWordsMs);
}
