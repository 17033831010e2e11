import { constants } from 'node:os';
import type { KernelCalls } from './kernel-calls.js';
import type { Reading } from './reading.js';
import type { RingReceiver } from './receiver.js';
import { RingError } from './ring-error.js';
import type { RingSender } from './sender.js';

const { EAGAIN } = constants.errno;

/** More than a pair of sockets holds. */
const muchBytes = 4 << 20;

/** Longest that the test waits for anything. It takes some milliseconds. */
const patienceMs = 2000;

interface TestedRings {
  readonly sender: RingSender;
  readonly receiver: RingReceiver;
}

/**
 * Does with a pair of sockets what is done with connections: a send that is taken in part, one that is not taken at all, and
 * one of two pieces, all within the call; receives that fill many buffers, one that is waited for, and one that is ended.
 * @returns what went wrong; null when nothing did
 * @throws (rejects) RingError where there is nothing to try it with
 */
export async function testRings({ sender, receiver }: TestedRings, calls: KernelCalls): Promise<string | null> {
  let ends: readonly number[] = [];
  let reading: Reading | null = null;
  try {
    const [near, far] = calls.socketPair();
    ends = [near, far];
    const send = (data: Buffer, ...behind: Buffer[]): number | null => {
      let result: number | null = null;
      const sent = (outcome: number): void => {
        result = outcome;
      };
      sender.queue({ isOpen: true, behind, sent, lastMemory: null, lastAddress: 0 }, near, data);
      sender.submit();
      return result;
    };
    const data = Buffer.alloc(muchBytes);
    for (let i = 0; i < muchBytes; i += 4) data.writeUInt32LE(i, i);
    const short = send(data);
    if (short === null) return 'a send did not end within the call';
    if (short <= 0 || short >= muchBytes) return `a send of more than fits returned ${short}`;
    const none = send(data.subarray(short));
    if (none !== -EAGAIN) return `a send of what does not fit returned ${none}`;

    let got = 0;
    let isWrong = false;
    let over: number | null = null;
    const onRead = (part: Buffer): void => {
      isWrong ||= !part.equals(data.subarray(got, got + part.length));
      got += part.length;
    };
    const onReadOver = (result: number): void => {
      over = result;
    };
    reading = receiver.begin({ isOpen: true, onRead, onReadOver }, far, false);
    if (!(await until(() => got >= short || over !== null)))
      return 'a receive did not get what was there, or woke nobody';
    if (over !== null) return `a receive ended with ${over}`;
    if (isWrong || got !== short) return 'a receive got other bytes than were sent';
    const more = send(data.subarray(short, short + 60), data.subarray(short + 60, short + 100));
    if (more !== 100) return `a send of 100 bytes in two pieces returned ${more}`;
    if (!(await until(() => got >= short + 100))) return 'a receive that waited woke nobody';
    if (isWrong) return 'a receive that waited got other bytes than were sent';
    reading.stopNow();
    const isArmed = reading.isArmed;
    reading = null;
    return isArmed ? 'a receive was not ended' : null;
  } catch (error) {
    if (error instanceof RingError) throw error;
    return error instanceof Error ? error.message : String(error);
  } finally {
    reading?.drop();
    for (const fd of ends) calls.close(fd);
  }
}

async function until(isSo: () => boolean): Promise<boolean> {
  const endMs = performance.now() + patienceMs;
  while (!isSo()) {
    if (performance.now() > endMs) return false;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return true;
}
