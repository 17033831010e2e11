import { readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { endianness } from 'node:os';

/** Maximum share of a core for reading the table. */
const costShare = 0.02;

/** The kernel takes about as long to write a table as we take to read it; ours alone can be measured. */
const kernelFactor = 2;

/** Between two looks lies so much at least. */
const shortestPauseMs = 900;

/** A table with more sockets than this is not read, because that would cost too much. */
const maxTableBytes = 16 << 20;

/** After such a table: the kernel took tenths of a second to write it, for nothing. */
const pauseBehindTooLargeMs = 15_000;

/** A connection: the remote end and the local port. */
export interface ConnectionEnds {
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
}

/** A connection that needs to know how many bytes the kernel holds. */
export interface QueueAsker {
  /** The connection; undefined while it is not connected. */
  readonly ends: ConnectionEnds | undefined;
  /** Bytes that were handed to the kernel so far. */
  readonly handedBytes: number;
  /**
   * Told at the next look.
   * @param bytes that the far side's TCP has not confirmed
   * @param handedBytes those that the kernel had when the look began: what came to it meanwhile may be among the queued
   */
  queued(bytes: number, handedBytes: number, nowMs: number): void;
}

/**
 * What the kernel holds of connections, where it tells (Linux, `/proc/net/tcp`): what `SIOCOUTQ` would say, which Node
 * has no call for. The kernel writes its whole table for one look, so there is one look for all who ask, about once a
 * second, and only while somebody asks: those whose targets do not say themselves what arrived.
 */
export class KernelQueues {
  readonly #folder: string;
  #askers = new Set<QueueAsker>();
  #nextLookMs = Number.NEGATIVE_INFINITY;
  #looking = false;
  #everyMs = shortestPauseMs;
  #absent: boolean;

  /** @param folder folder of the tables */
  constructor(folder = '/proc/self/net', platform: string = process.platform) {
    this.#folder = folder;
    this.#absent = platform !== 'linux';
  }

  /** What lies between two looks at the moment, milliseconds: the more a look costs, the rarer they are. */
  get everyMs(): number {
    return this.#everyMs;
  }

  /** Has `asker` told at the next look, soon; never where the kernel does not tell. */
  ask(asker: QueueAsker, nowMs: number): void {
    if (this.#absent) return;
    this.#askers.add(asker);
    if (!this.#looking && nowMs >= this.#nextLookMs) void this.#look(nowMs);
  }

  async #look(nowMs: number): Promise<void> {
    this.#looking = true;
    const askers = new Map([...this.#askers].map((asker) => [asker, asker.handedBytes]));
    this.#askers = new Set();
    try {
      const wants6 = [...askers.keys()].some(({ ends }) => ends !== undefined && !isIPv4(ends.remoteAddress));
      const tables = [await readFile(`${this.#folder}/tcp`, 'latin1')];
      if (wants6) tables.push(await readFile(`${this.#folder}/tcp6`, 'latin1'));
      // What it costs is CPU time. How long it took says how busy the machine is, where targets must be looked at all the more.
      const before = process.cpuUsage();
      const queues = new Map<string, number>();
      const known = tables.filter(({ length }) => length <= maxTableBytes);
      for (const table of known) readTable(table, queues);
      const { user, system } = process.cpuUsage(before);
      const shortestMs = known.length < tables.length ? pauseBehindTooLargeMs : shortestPauseMs;
      this.#everyMs = Math.max(shortestMs, (kernelFactor * (user + system)) / 1000 / costShare);
      this.#nextLookMs = nowMs + this.#everyMs;
      tell(askers, queues);
    } catch (error) {
      // Not mounted, or not to be read: as on other systems. Without a descriptor, or memory, it may be read later.
      const { code = '' } = error as NodeJS.ErrnoException;
      this.#absent = !['EMFILE', 'ENFILE', 'ENOMEM'].includes(code);
      this.#nextLookMs = nowMs + 5000;
    } finally {
      this.#looking = false;
    }
  }
}

function tell(askers: ReadonlyMap<QueueAsker, number>, queues: ReadonlyMap<string, number>): void {
  const toldMs = performance.now();
  for (const [asker, handedBytes] of askers) {
    const { ends } = asker;
    const bytes = ends === undefined ? undefined : queues.get(keyOf(ends));
    if (bytes !== undefined) asker.queued(bytes, handedBytes, toldMs);
  }
}

/** The instance of this process. */
export const kernelQueues = new KernelQueues();

const swaps = endianness() === 'LE';
const row = /^ *\d+: [0-9A-F]+:([0-9A-F]{4}) ([0-9A-F]{8,32}):([0-9A-F]{4}) [0-9A-F]{2} ([0-9A-F]{8}):/gm;

function readTable(table: string, queues: Map<string, number>): void {
  for (const [, localPort = '', remote = '', remotePort = '', queue = ''] of table.matchAll(row)) {
    queues.set(`${localPort} ${remote}:${remotePort}`, Number.parseInt(queue, 16));
  }
}

function keyOf({ localPort, remoteAddress, remotePort }: ConnectionEnds): string {
  return `${hex4(localPort)} ${addressWords(remoteAddress)}:${hex4(remotePort)}`;
}

function hex4(value: number): string {
  return value.toString(16).toUpperCase().padStart(4, '0');
}

/** An address as the kernel prints it: words of 32 bits, in the order of the machine. */
function addressWords(address: string): string {
  const bytes = isIPv4(address) ? address.split('.').map(Number) : bytes6(address);
  let text = '';
  for (let i = 0; i < bytes.length; i += 4) {
    const word = bytes.slice(i, i + 4);
    if (swaps) word.reverse();
    for (const byte of word) text += byte.toString(16).toUpperCase().padStart(2, '0');
  }
  return text;
}

function bytes6(address: string): number[] {
  const [plain = ''] = address.split('%', 1);
  const [left = '', right] = plain.split('::');
  const groups = (part: string): number[] =>
    part === ''
      ? []
      : part.split(':').flatMap((group) => (group.includes('.') ? pairs(group) : [Number.parseInt(group, 16)]));
  const before = groups(left);
  const behind = right === undefined ? [] : groups(right);
  const zeros = new Array<number>(Math.max(0, 8 - before.length - behind.length)).fill(0);
  return [...before, ...zeros, ...behind].flatMap((group) => [group >> 8, group & 0xff]);
}

function pairs(address: string): number[] {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
  return [(a << 8) | b, (c << 8) | d];
}
