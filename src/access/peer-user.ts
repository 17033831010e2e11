import { open } from 'node:fs/promises';
import { isIP } from 'node:net';
import { endianness } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { isLoopbackAddress, plainAddress } from '../address/plain-address.js';

/**
 * Whose program is at the other end of a connection of this machine:
 * - `own`: one of the user of this process;
 * - `other`: one of another user: a proxy, as a rule, which speaks for whoever reaches it;
 * - `unknown`: the kernel does not show it;
 * - `untold`: no system here tells. Only where there is no Linux.
 */
export type PeerUser = 'own' | 'other' | 'unknown' | 'untold';

/** The two ends of a connection, as the socket of this process has them. */
export interface ConnectionEnds {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
}

const verdicts = new WeakMap<object, Promise<PeerUser>>();

/** The same for one connection, however many calls come by it: it does not change hands. */
export function peerUserOf(socket: ConnectionEnds): Promise<PeerUser> {
  let verdict = verdicts.get(socket);
  if (verdict === undefined) {
    verdict = lookUp(socket);
    verdicts.set(socket, verdict);
  }
  return verdict;
}

async function lookUp({
  remoteAddress = '',
  remotePort = 0,
  localAddress = '',
  localPort = 0,
}: ConnectionEnds): Promise<PeerUser> {
  if (process.platform !== 'linux') return 'untold';
  if (!isLoopbackAddress(remoteAddress) || !isLoopbackAddress(localAddress)) return 'unknown';
  const isFour = isIP(plainAddress(remoteAddress)) === 4;
  const line = (mapped: boolean): string =>
    `${endText(remoteAddress, remotePort, mapped)} ${endText(localAddress, localPort, mapped)}`;
  // The kernel shows its table in pieces; a line may slip between two of them.
  for (let tries = 0; tries < 2; tries += 1) {
    // A program that speaks IPv6 alone may reach an IPv4 address by it.
    const user = (isFour ? await ipv4.find(line(false)) : undefined) ?? (await ipv6.find(line(isFour)));
    if (user !== undefined) return user === process.geteuid?.() ? 'own' : 'other';
  }
  return 'unknown';
}

/** `0100007F:1388`: the address as 32-bit words of this machine's byte order, the port as a number. */
function endText(address: string, port: number, mapped: boolean): string {
  const plain = plainAddress(address);
  const bytes = isIP(plain) === 4 ? plain.split('.').map(Number) : loopback6;
  const all = mapped ? [...Array<number>(10).fill(0), 0xff, 0xff, ...bytes] : bytes;
  let text = '';
  for (let word = 0; word < all.length; word += 4) {
    const four = all.slice(word, word + 4);
    if (endianness() === 'LE') four.reverse();
    for (const byte of four) text += byte.toString(16).padStart(2, '0');
  }
  return `${text}:${port.toString(16).padStart(4, '0')}`.toUpperCase();
}

/** `::1`, the only loopback address of IPv6. */
const loopback6 = [...Array<number>(15).fill(0), 1];

type Answer = (user: number | undefined) => void;

/** The longest pause between two readings, milliseconds. */
const longestPauseMs = 50;

/**
 * One of the kernel's tables of connections, `/proc/net/tcp` or `/proc/net/tcp6`. To read one takes the kernel 1 to 20 ms
 * on a thread of its own, most of it for places that are empty. So one reading answers all who asked before it began,
 * ends when all are answered, and is followed by a pause as long as itself: whoever connects however often has half a
 * core at most.
 */
export class ConnectionTable {
  readonly #file: string;
  #asked = new Map<string, Answer[]>();
  #isReading = false;

  constructor(file: string) {
    this.#file = file;
  }

  /** The user of the program that has this end of a connection: `FROM TO`. Undefined when there is none. */
  find(ends: string): Promise<number | undefined> {
    return new Promise((resolve) => {
      const others = this.#asked.get(ends);
      if (others === undefined) this.#asked.set(ends, [resolve]);
      else others.push(resolve);
      if (!this.#isReading) void this.#read();
    });
  }

  async #read(): Promise<void> {
    this.#isReading = true;
    while (this.#asked.size > 0) {
      const asked = this.#asked;
      this.#asked = new Map();
      const startMs = performance.now();
      try {
        await this.#answer(asked);
      } catch {
        // A system that hides the table: nobody is known.
      }
      for (const answers of asked.values()) for (const answer of answers) answer(undefined);
      if (this.#asked.size > 0) await sleep(Math.min(longestPauseMs, performance.now() - startMs));
    }
    this.#isReading = false;
  }

  /** Answers those of whom there is a line, and forgets them. */
  async #answer(asked: Map<string, Answer[]>): Promise<void> {
    const file = await open(this.#file);
    try {
      const buffer = Buffer.alloc(16_384);
      let rest = '';
      while (asked.size > 0) {
        const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
        if (bytesRead === 0) return;
        const lines = (rest + buffer.toString('latin1', 0, bytesRead)).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          const found = readLine(line);
          if (found === undefined) continue;
          for (const answer of asked.get(found.ends) ?? []) answer(found.user);
          asked.delete(found.ends);
        }
      }
    } finally {
      await file.close();
    }
  }
}

/**
 * A line of the table (proc_net_tcp in the documentation of the kernel): number, own end, far end, state, queues, timer,
 * retransmits, user, timeout, inode. Undefined for a connection whose program is gone: what is left of it belongs to
 * nobody, has no inode, and says user 0.
 */
function readLine(line: string): { ends: string; user: number } | undefined {
  const [, from, to, , , , , user = '', , inode] = line.trim().split(/\s+/, 10);
  if (inode === undefined || inode === '0' || !/^\d+$/.test(user)) return undefined;
  return { ends: `${from} ${to}`, user: Number(user) };
}

const ipv4 = new ConnectionTable('/proc/net/tcp');
const ipv6 = new ConnectionTable('/proc/net/tcp6');
