import type { NetworkInterfaceInfo } from 'node:os';
import { describe, expect, it } from 'vitest';
import { everyAddress, loopbackOf } from '../../src/address/every-address.js';

const machine = (...addresses: string[]) => ({
  lo: addresses.map((address) => ({ address }) as unknown as NetworkInterfaceInfo),
});

describe('what every address of a machine is', () => {
  it.each([
    ['both families', machine('127.0.0.1', '::1'), '::', '127.0.0.1'],
    ['IPv6 alone', machine('::1', '2001:db8::1'), '::', '::1'],
    ['no IPv6', machine('127.0.0.1', '192.0.2.1'), '0.0.0.0', '127.0.0.1'],
    ['IPv6 without a loopback of its own', machine('127.0.0.1', '2001:db8::1'), '::', '127.0.0.1'],
    ['no interface yet', {}, '0.0.0.0', '127.0.0.1'],
  ])('%s', (_what, interfaces, every, loopback) => {
    expect(everyAddress(interfaces)).toBe(every);
    expect(loopbackOf(every, interfaces)).toBe(loopback);
    expect(loopbackOf('0.0.0.0', interfaces)).toBe('127.0.0.1');
    expect(loopbackOf('192.0.2.7', interfaces)).toBe('192.0.2.7');
  });
});
