import { expect, it } from 'vitest';
import { addressKey, endpointText, isLoopbackAddress } from '../../src/address/plain-address.js';

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
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
  ['2001:0db8:0001:0002::9', '2001:db8:1:2::/64'],
  ['2001:DB8::9', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
])('%s counts as %s', (address, key) => {
  expect(addressKey(address)).toBe(key);
});

it.each([
  ['192.0.2.1', 1935, '192.0.2.1:1935'],
  ['::ffff:192.0.2.1', 1935, '192.0.2.1:1935'],
  ['2001:db8::1', 1935, '[2001:db8::1]:1935'],
  ['fe80::1%eth0', undefined, '[fe80::1]:0'],
])('%s, port %s is shown as %s', (address, port, text) => {
  expect(endpointText(address, port)).toBe(text);
});
