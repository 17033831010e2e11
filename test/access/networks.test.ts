import { expect, it } from 'vitest';
import { Networks } from '../../src/access/networks.js';

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
