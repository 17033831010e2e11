import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { endianness } from 'node:os';
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

async function lookUp(ends: ConnectionEnds): Promise<PeerUser> {
  if (process.platform !== 'linux') return 'untold';
  const { remoteAddress, localAddress } = ends;
  if (remoteAddress === undefined || localAddress === undefined) return 'unknown';
  if (!isLoopbackAddress(remoteAddress) || !isLoopbackAddress(localAddress)) return 'unknown';
  // The kernel shows its table in pieces; a line may slip between two of them.
  for (let tries = 0; tries < 2; tries += 1) {
    const user = findPeer(await tables(), ends);
    if (user !== undefined) return user === process.geteuid?.() ? 'own' : 'other';
  }
  return 'unknown';
}

/**
 * The user of the program at the far end, out of `/proc/net/tcp` and `/proc/net/tcp6` (proc_net_tcp in the kernel's
 * documentation). Undefined when there is no such line, or its program is gone: what is left of a connection then
 * belongs to nobody, and says user 0.
 */
export function findPeer(tcp: readonly Buffer[], ends: ConnectionEnds): number | undefined {
  const { remoteAddress = '', remotePort = 0, localAddress = '', localPort = 0 } = ends;
  for (const mapped of [false, true]) {
    const line = `: ${endText(remoteAddress, remotePort, mapped)} ${endText(localAddress, localPort, mapped)} `;
    for (const table of tcp) {
      const at = table.indexOf(line, 0, 'latin1');
      if (at < 0) continue;
      const end = table.indexOf('\n', at);
      // State, queues, timer, retransmits, uid, timeout, inode.
      const rest = table.toString('latin1', at + line.length, end < 0 ? table.length : end);
      const [, , , , uid, , inode] = rest.trim().split(/\s+/);
      if (uid !== undefined && inode !== undefined && inode !== '0' && /^\d+$/.test(uid)) return Number(uid);
    }
  }
  return undefined;
}

/** `0100007F:1388`: the address as 32-bit words of this machine's byte order, the port as a number. */
function endText(address: string, port: number, mapped: boolean): string {
  const plain = plainAddress(address);
  const bytes = isIP(plain) === 4 ? plain.split('.').map(Number) : loopback6;
  const all = mapped && bytes.length === 4 ? [...Array<number>(10).fill(0), 0xff, 0xff, ...bytes] : bytes;
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

let reading: Promise<Buffer[]> | undefined;
let waiting: Promise<Buffer[]> | undefined;

/**
 * Both tables, read after this call: however many ask at once, two readings are enough, that under way and the next.
 * With many connections a table is megabytes.
 */
function tables(): Promise<Buffer[]> {
  if (reading === undefined) {
    reading = readTables().finally(() => {
      reading = undefined;
    });
    return reading;
  }
  waiting ??= reading.then(() => {
    waiting = undefined;
    return tables();
  });
  return waiting;
}

function readTables(): Promise<Buffer[]> {
  const empty = Buffer.alloc(0);
  return Promise.all(['/proc/net/tcp', '/proc/net/tcp6'].map((file) => readFile(file).catch(() => empty)));
}
