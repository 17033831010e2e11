import type { Step } from './input.js';
import type { Random } from './random.js';

const interesting = [0, 1, 2, 3, 4, 8, 9, 0x7f, 0x80, 0xc0, 0xff];

/** Bytes changed, taken out, put in, doubled or cut off, `times` times. */
export function mutateBytes(data: Buffer, random: Random, times: number): Buffer {
  let bytes: Buffer = Buffer.from(data);
  for (let i = 0; i < times && bytes.length > 0; i++) {
    const at = random.int(bytes.length);
    switch (random.int(7)) {
      case 0:
        bytes[at] = bytes[at]! ^ (1 << random.int(8));
        break;
      case 1:
        bytes[at] = random.pick(interesting);
        break;
      case 2:
        bytes[at] = random.next();
        break;
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + random.range(1, 20))]);
        break;
      case 4:
        bytes = Buffer.concat([bytes.subarray(0, at), random.bytes(random.range(1, 20)), bytes.subarray(at)]);
        break;
      case 5: {
        const piece = bytes.subarray(at, at + random.range(1, 200));
        const to = random.int(bytes.length);
        bytes = Buffer.concat([bytes.subarray(0, to), piece, bytes.subarray(to)]);
        break;
      }
      default:
        if (random.oneIn(3)) bytes = bytes.subarray(0, at);
        else if (at + 4 <= bytes.length) bytes.writeUInt32BE(random.pick([0, 0xffffffff, 0xffffff, 0x7fffffff]), at);
    }
  }
  return bytes;
}

/** Cuts data as a network may: in pieces of any length, up to what one read of a socket gives. */
export function splitIntoSteps(data: Buffer, random: Random, to = 0): Step[] {
  const steps: Step[] = [];
  const longest = random.pick([64 << 10, 64 << 10, 4096, 1500, 300, 40]);
  for (let at = 0; at < data.length; ) {
    const bytes = longest === 64 << 10 ? longest : random.range(1, longest);
    steps.push({ to, what: 'data', data: data.subarray(at, at + bytes) });
    at += bytes;
  }
  return steps;
}
