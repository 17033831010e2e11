import { expect, it } from 'vitest';
import { isLoopbackAddress, Networks } from '../../src/access/networks.js';

it.each([
  ['127.0.0.1', true],
  ['127.255.255.254', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['::FFFF:127.0.0.1', true],
  ['::1%lo', true],
  ['128.0.0.1', false],
  ['::2', false],
  ['::ffff:192.0.2.1', false],
  ['127.0.0.1.evil.example', false],
  ['0.0.0.0', false],
  ['fe80::1%eth0', false],
  ['', false],
])('%s is an address of this machine: %s', (address, expected) => {
  expect(isLoopbackAddress(address)).toBe(expected);
});

it.each([
  ['10.1.2.3', true],
  ['::ffff:10.1.2.3', true],
  ['11.0.0.1', false],
  ['192.0.2.7', true],
  ['192.0.2.8', false],
  ['fd00::1', true],
  ['fe80::1%eth0', false],
  ['', false],
  ['nonsense', false],
])('%s is in the networks: %s', (address, expected) => {
  expect(new Networks(['10.0.0.0/8', '192.0.2.7', 'fd00::/8']).has(address)).toBe(expected);
});
