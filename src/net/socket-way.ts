import type { Logger } from '../log/log.js';
import { missingInternals } from './node-internals.js';
import type { SocketMode } from './settings.js';
import { openRings, type RingFaults, type Rings } from './uring/rings.js';
import { isFiltered, tryApart } from './uring/trial.js';

/** How connections without TLS are read and written. */
export interface SocketWay {
  readonly mode: 'uring' | 'direct' | 'plain';
  /** Why it is not a better one, or not the one that is set; null: it is the best, or what is set. */
  readonly why: string | null;
}

let rings: Rings | null = null;
let opening: Promise<Rings | string> | null = null;
let ringsRefused: string | null = null;
let onRingsLost: (() => void) | null = null;

/**
 * Finds out what works in this process, once. Sockets that are made before it has ended go without io_uring.
 * @param options.readEveryMs by io_uring, what came is read in such intervals; 0 or left out: whenever it comes
 * @param options.faults changes the system calls that are made; for tests
 * @param options.onChanged called when it does not work any more
 */
export async function prepareSockets(
  mode: SocketMode,
  options: { readonly readEveryMs?: number; readonly faults?: RingFaults; readonly onChanged?: () => void } = {},
): Promise<SocketWay> {
  if (rings === null && wantsRings(mode)) {
    opening ??= open(options.faults, options.readEveryMs);
    const found = await opening;
    opening = null;
    if (typeof found === 'string') ringsRefused = found;
    else use(found);
  }
  if (options.onChanged !== undefined) onRingsLost = options.onChanged;
  return socketWay(mode);
}

function use(found: Rings): void {
  rings = found;
  found.onLost = () => {
    rings = null;
    ringsRefused = 'io_uring was given up, since the kernel had no memory for its answers';
    onRingsLost?.();
  };
}

async function open(faults: RingFaults | undefined, readEveryMs: number | undefined): Promise<Rings | string> {
  const why = isFiltered() ? await tryApart() : null;
  return why ?? openRings(faults, readEveryMs);
}

/** What connections of this mode use now. */
export function socketWay(mode: SocketMode): SocketWay {
  if (mode === 'plain') return { mode, why: null };
  const refused = wantsRings(mode) ? ringsRefused : null;
  if (wantsRings(mode) && rings !== null) return { mode: 'uring', why: null };
  const missing = missingInternals();
  if (missing.length === 0) return { mode: 'direct', why: refused };
  const node = `this Node.js (${process.versions.node}) does not offer ${missing.join(', nor ')}`;
  return { mode: 'plain', why: [refused, node].filter((each) => each !== null).join('; ') };
}

/** The rings that connections of this mode use; null: they use none. */
export function ringsFor(mode: SocketMode): Rings | null {
  return wantsRings(mode) ? rings : null;
}

/** In which intervals connections of this mode are read, milliseconds; 0: whenever something comes. */
export function readEveryMs(mode: SocketMode): number {
  return ringsFor(mode)?.readEveryMs ?? 0;
}

/** Sends, reads and calls by io_uring of this process, by name; null where it is not used. */
export function ringCounts(): Readonly<Record<string, number>> | null {
  if (rings === null) return null;
  const { sender, receiver } = rings;
  return {
    ringSends: sender.counts.sends,
    ringSendCalls: sender.counts.calls,
    ringSendsShort: sender.counts.short,
    ringReads: receiver.counts.reads,
    ringWakes: receiver.counts.wakes,
    ringStarved: receiver.counts.starved,
    ringReceiving: receiver.open,
    ringSending: sender.waiting,
  };
}

/** Does work that writes to many connections: what goes by io_uring goes in one call behind it. */
export function gatherWrites(work: () => void): void {
  if (rings === null) work();
  else rings.sender.gather(work);
}

/** Says how connections are read and written, and why not in a better way. @param mode as it is set @param level of the line */
export function tellWay(
  mode: SocketMode,
  way: SocketWay,
  log: Logger,
  level: 'info' | 'warn' | 'error' = mode === 'auto' || mode === way.mode ? 'info' : 'warn',
): void {
  const why = way.why === null ? {} : { why: way.why };
  log[level](`sockets: ${way.mode}, ${wayTexts[way.mode]}`, { socketMode: mode, ...why });
}

/** What the words of the setting mean. */
const wayTexts: Readonly<Record<SocketWay['mode'], string>> = {
  uring: 'by io_uring',
  direct: 'past the streams of Node.js',
  plain: 'by the streams of Node.js',
};

function wantsRings(mode: SocketMode): boolean {
  return mode === 'uring' || mode === 'auto';
}
