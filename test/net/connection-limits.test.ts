import { expect, it } from 'vitest';
import { silentLogger } from '../../src/log/log.js';
import { ConnectionLimits } from '../../src/net/connection-limits.js';

function limits() {
  return new ConnectionLimits({ maxConnections: 5, maxConnectionsPerAddress: 2 }, silentLogger);
}

it('one address has no more than its share, and gets it back', () => {
  const some = limits();
  const first = some.admit('192.0.2.1');
  expect(some.admit('192.0.2.1')).toBeDefined();
  expect(some.admit('192.0.2.1')).toBeUndefined();
  expect(some.admit('192.0.2.2')).toBeDefined();
  first?.();
  expect(some.admit('192.0.2.1')).toBeDefined();
  expect(some.connections).toBe(3);
});

it('a subscriber has one share, whichever addresses of its IPv6 network it uses', () => {
  const some = limits();
  expect(some.admit('2001:db8:1:2::1')).toBeDefined();
  expect(some.admit('2001:db8:1:2::2')).toBeDefined();
  expect(some.admit('2001:db8:1:2:ffff::3')).toBeUndefined();
  expect(some.admit('2001:db8:1:3::1')).toBeDefined();
});

it('all of them have no more than there are, and who is gone already has none', () => {
  const some = limits();
  for (let i = 0; i < 5; i++) expect(some.admit(`192.0.2.${i}`)).toBeDefined();
  expect(some.admit('192.0.2.9')).toBeUndefined();
  expect(some.admit(undefined)).toBeUndefined();
});
