import { describe, expect, test } from 'vitest';
import { RelayTickets } from '../../src/cluster/relay-tickets.js';
import { ClusterSecret } from '../../src/cluster/secret.js';

const secretOf = (digit: string): ClusterSecret => ClusterSecret.fromText(`${digit}1`.padEnd(64, '0'));
const at = 1_800_000_000_000;
const receiver = (secret = secretOf('a'), self = 'b', prefix = '/one/', startedMs = at - 60_000): RelayTickets =>
  new RelayTickets(secret, prefix, self, startedMs);
const sender = (secret = secretOf('a')): RelayTickets => new RelayTickets(secret, '/one/', 'a', at - 60_000);
const origin = { owner: 'a', epoch: 17 };

describe('tickets by which nodes let streams in', () => {
  test('one of the cluster is taken, and says who sends what', () => {
    const ticket = sender().issue('gate', 'b', origin, at);
    expect(receiver().check('gate', ticket, at + 1000)).toEqual({ from: 'a', owner: 'a', epoch: 17 });
  });

  test('one that was used is not taken again', () => {
    const b = receiver();
    const ticket = sender().issue('gate', 'b', origin, at);
    b.check('gate', ticket, at);
    expect(() => b.check('gate', ticket, at + 10)).toThrow('it was used before');
  });

  test.each([
    ['for another camera', () => receiver().check('yard', sender().issue('gate', 'b', origin, at), at)],
    ['for another node', () => receiver(undefined, 'c').check('gate', sender().issue('gate', 'b', origin, at), at)],
    [
      'of another cluster in the same etcd',
      () => receiver(undefined, 'b', '/two/').check('gate', sender().issue('gate', 'b', origin, at), at),
    ],
    ['of another secret', () => receiver(secretOf('c')).check('gate', sender().issue('gate', 'b', origin, at), at)],
    ['that is too old', () => receiver().check('gate', sender().issue('gate', 'b', origin, at), at + 31_000)],
    ['of the future', () => receiver().check('gate', sender().issue('gate', 'b', origin, at), at - 31_000)],
    [
      'made before the node started',
      () => receiver(undefined, 'b', '/one/', at + 1).check('gate', sender().issue('gate', 'b', origin, at), at + 2),
    ],
    ['that is nothing of the kind', () => receiver().check('gate', 'x'.repeat(5000), at)],
    [
      'whose sender was changed',
      () => receiver().check('gate', sender().issue('gate', 'b', origin, at).replace(/^a~/, 'z~'), at),
    ],
    [
      'whose epoch was changed',
      () => receiver().check('gate', sender().issue('gate', 'b', origin, at).replace('~17~', '~99~'), at),
    ],
  ])('one %s is refused', (_, check) => {
    expect(check).toThrow(expect.objectContaining({ code: 'RELAY_REFUSED' }));
  });

  test('a refusal repeats nothing of what a stranger sent', () => {
    expect(() => receiver().check('gate', 'stranger~x~1~evil', at)).toThrow(/^(?!.*(stranger|evil)).*$/);
  });
});
