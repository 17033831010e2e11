import { describe, expect, it } from 'vitest';
import type { KernelCalls } from '../../../src/net/uring/kernel-calls.js';
import { ReadBuffers } from '../../../src/net/uring/read-buffers.js';

const bytes = 64;

/** The kernel's side of a ring of buffers: it takes from the front what was announced. */
class Kernel {
  readonly maps: { memory: ArrayBuffer; address: number }[] = [];
  #head = 0;
  readonly calls = {
    map: (size: number) => {
      const map = { memory: new ArrayBuffer(size), address: 2 ** 33 + 2 ** 24 * this.maps.length, unmap: () => {} };
      this.maps.push(map);
      return map;
    },
    register: () => 0,
  } as unknown as KernelCalls;

  get #ring(): DataView {
    return new DataView(this.maps[0]!.memory);
  }

  get announced(): number {
    return (this.#ring.getUint16(14, true) - this.#head) & 0xffff;
  }

  /** The number of the next buffer, checked against its address and length. */
  take(): number {
    const at = 16 * (this.#head % (this.maps[0]!.memory.byteLength / 16));
    const number = this.#ring.getUint16(at + 12, true);
    expect(this.#ring.getBigUint64(at, true)).toBe(BigInt(this.maps[1]!.address + number * bytes));
    expect(this.#ring.getUint32(at + 8, true)).toBe(bytes);
    this.#head = (this.#head + 1) & 0xffff;
    return number;
  }
}

describe('the read buffers of a ring', () => {
  it('are few until half of them are used before any is given back', () => {
    const kernel = new Kernel();
    const buffers = new ReadBuffers(kernel.calls, 3, 128, bytes);
    const use = (count: number): void => {
      const taken = Array.from({ length: count }, () => kernel.take());
      for (const number of taken) {
        expect(buffers.view(number, 10)).toHaveLength(10);
        buffers.give(number);
      }
      buffers.announce();
    };
    expect(kernel.announced).toBe(16);
    for (let i = 0; i < 300; i++) use(1 + (i % 7));
    expect(kernel.announced).toBe(16);
    use(8);
    expect(kernel.announced).toBe(32);
    use(32);
    expect(kernel.announced).toBe(64);
    use(64);
    use(128);
    expect(kernel.announced).toBe(128);
    const all = Array.from({ length: 128 }, () => kernel.take());
    expect(new Set(all).size).toBe(128);
    for (const number of all) buffers.give(number);
    buffers.announce();
    expect(kernel.announced).toBe(128);
  });

  it('are no more than there is room for', () => {
    const kernel = new Kernel();
    new ReadBuffers(kernel.calls, 3, 8, bytes);
    expect(kernel.announced).toBe(8);
  });
});
