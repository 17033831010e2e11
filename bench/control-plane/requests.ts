import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { percentile } from '../measure/stats.js';

export interface Latencies {
  readonly requests: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Calls at a rate: what an operator sees over the whole time, and how it was in its worst part. */
export interface PacedLatencies extends Latencies {
  /** The p99 of each part of `partMs`, in their order; what is over at the end counts to the last one. */
  readonly partsP99Ms: readonly number[];
  /** Calls that took more than `slowMs`. */
  readonly slow: number;
  /** How late the caller itself asked, at most: its own processor may have been taken. */
  readonly askedLateMs: number;
}

/** How long a part of a run at a rate is. */
export const partMs = 8000;
/** What a call may take: the target of the p99. */
export const slowMs = 30;

/** A request of the n-th turn. */
export type MakeRequest = (turn: number) => { method: string; path: string; body?: unknown };

/** Sends requests from so many clients at once, each waiting for its answer, for so long. @throws Error for any failure */
export async function drive(port: number, clients: number, forMs: number, make: MakeRequest): Promise<Latencies> {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const timesMs: number[] = [];
  const startMs = performance.now();
  let turn = 0;
  const client = async (): Promise<void> => {
    while (performance.now() - startMs < forMs) {
      turn += 1;
      const sentMs = performance.now();
      await call(agent, port, make(turn));
      timesMs.push(performance.now() - sentMs);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  const seconds = (performance.now() - startMs) / 1000;
  agent.destroy();
  return latenciesOf(timesMs, seconds);
}

/** How long calls come before they count: code is compiled then, that of the caller too. */
const warmUpMs = 1000;
/** Most connections of `driveAtRate`: requests beyond wait, and that counts. */
const maxSockets = 256;

/**
 * Sends so many requests a second, at times that do not depend on the answers, for so long. Times count from when a
 * request was due: what is late because others were slow, is late; so is what Node's timers add, about half a millisecond.
 * The calls of the second before do not count.
 * @throws Error for any failure
 */
export async function driveAtRate(
  port: number,
  perSecond: number,
  forMs: number,
  make: MakeRequest,
): Promise<PacedLatencies> {
  const agent = new Agent({ keepAlive: true, maxSockets });
  const timesMs: number[] = [];
  const parts: number[][] = Array.from({ length: Math.max(1, Math.floor(forMs / partMs)) }, () => []);
  let askedLateMs = 0;
  const pending: Promise<void>[] = [];
  const failures: unknown[] = [];
  const startMs = performance.now() + warmUpMs;
  const before = Math.round((perSecond * warmUpMs) / 1000);
  const total = Math.round((perSecond * forMs) / 1000);
  for (let turn = 1 - before; turn <= total && failures.length === 0; turn++) {
    const dueMs = startMs + (1000 * turn) / perSecond;
    while (performance.now() < dueMs) await sleep(Math.max(0, dueMs - performance.now()));
    const counts = turn > 0;
    if (counts) askedLateMs = Math.max(askedLateMs, performance.now() - dueMs);
    const part = parts[Math.min(parts.length - 1, Math.floor((dueMs - startMs) / partMs))];
    const answered = call(agent, port, make(turn + before)).then(
      () => {
        if (!counts) return;
        const tookMs = performance.now() - dueMs;
        timesMs.push(tookMs);
        part?.push(tookMs);
      },
      (error: unknown) => void failures.push(error),
    );
    pending.push(answered);
  }
  await Promise.all(pending);
  const seconds = (performance.now() - startMs) / 1000;
  agent.destroy();
  if (failures.length > 0) throw failures[0];
  return {
    ...latenciesOf(timesMs, seconds),
    partsP99Ms: parts.map((part) => latenciesOf(part, 1).p99Ms),
    slow: timesMs.filter((ms) => ms > slowMs).length,
    askedLateMs,
  };
}

function latenciesOf(timesMs: readonly number[], seconds: number): Latencies {
  const sorted = Float64Array.from(timesMs).sort();
  return {
    requests: sorted.length,
    perSecond: sorted.length / seconds,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    maxMs: sorted.at(-1) ?? Number.NaN,
  };
}

function call(agent: Agent, port: number, { method, path, body }: ReturnType<MakeRequest>): Promise<void> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers =
      text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    const sent = request({ agent, host: '127.0.0.1', port, method, path, headers }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode !== undefined && response.statusCode < 300) resolve();
        else reject(new Error(`${method} ${path}: ${response.statusCode} ${Buffer.concat(parts).toString()}`));
      });
    });
    sent.on('error', reject);
    sent.end(text);
  });
}

/** Bytes that a process had written to disk until now (`write_bytes` of proc(5): whole pages). */
export function diskBytesWritten(pid: number): number {
  return Number(/^write_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1] ?? Number.NaN);
}
