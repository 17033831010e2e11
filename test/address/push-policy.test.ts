import { BlockList } from 'node:net';
import { networkInterfaces } from 'node:os';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { embeddedIpv4, parseAddress } from '../../src/address/ip-address.js';
import { PushPolicy } from '../../src/address/push-policy.js';
import { matchesNetwork, network, parseTargetRule } from '../../src/address/target-rule.js';

const open = new PushPolicy();
const says = (policy: PushPolicy, host: string, port = 1935): string | undefined =>
  policy.refusesHost(host, port)?.message.replace(/^.*port \d+: /, '');

describe('what pushes may not go to without any setting', () => {
  test.each([
    // Metadata services.
    ['169.254.169.254', 'metadata'],
    ['fd00:ec2::254', 'metadata'],
    ['100.100.100.200', 'metadata'],
    // Link-local, in every dress.
    ['169.254.0.1', 'link-local'],
    ['169.254.255.255', 'link-local'],
    ['fe80::1', 'link-local'],
    ['febf:ffff::1', 'link-local'],
    ['::ffff:169.254.1.1', 'link-local'],
    ['::ffff:a9fe:a9fe', 'metadata'],
    ['0:0:0:0:0:ffff:a9fe:a9fe', 'metadata'],
    ['64:ff9b::169.254.169.254', 'metadata'],
    ['64:ff9b::a9fe:a9fe', 'metadata'],
    ['64:ff9b:1::a9fe:a9fe', 'metadata'],
    ['64:ff9b:1:a9fe:a9:fe00::', 'metadata'],
    ['::ffff:0:169.254.169.254', 'metadata'],
    ['2002:a9fe:a9fe::1', 'metadata'],
    ['2001:0:a9fe:a9fe::1', 'metadata'],
    ['2001:0:4136:e378:8000:63bf:5601:5601', 'metadata'],
    ['::169.254.169.254', 'metadata'],
    ['fd00::5efe:a9fe:a9fe', 'metadata'],
    // No machine, but a connection to it reaches this one.
    ['0.0.0.0', 'no machine'],
    ['0.1.2.3', 'no machine'],
    ['::', 'no machine'],
    ['::ffff:0.0.0.0', 'no machine'],
    // Not one machine.
    ['224.0.0.1', 'multicast'],
    ['239.255.255.255', 'multicast'],
    ['ff02::1', 'multicast'],
    ['255.255.255.255', 'broadcast'],
    ['240.0.0.1', 'broadcast'],
  ])('%s', (host, what) => {
    expect(says(open, host)).toContain(what);
    expect(open.refusesHost(host, 1935)?.code).toBe('TARGET_FORBIDDEN');
    // The same address, found by a name.
    expect(open.refuses('engine.example', host, 1935)?.message).toContain(`engine.example (${host})`);
  });

  test.each([
    '10.0.0.7',
    '192.168.1.1',
    '127.0.0.1',
    '8.8.8.8',
    '::1',
    'fd00::1',
    '2001:db8::1',
    '64:ff9b::10.0.0.1',
    '64:ff9b:1::10.0.0.1',
  ])('%s is none of them', (host) => {
    expect(says(open, host)).toBeUndefined();
  });

  test('names are judged by what they resolve to', () => {
    expect(says(open, 'metadata.google.internal')).toBeUndefined();
    expect(open.refuses('metadata.google.internal', '169.254.169.254', 80)?.message).toContain('metadata');
    expect(open.refuses('x.example', 'fe80::1%eth0', 1935)?.message).toContain('link-local');
    expect(open.refuses('x.example', 'nonsense', 1935)?.message).toContain('no IP address');
  });
});

describe('the ports of this aggregator', () => {
  test('a listener on all IPv4 addresses is found by each of them, and no other port is', () => {
    const policy = new PushPolicy();
    policy.addListener({ host: '0.0.0.0', port: 1935 });
    const own = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
    const mine = own.filter(({ family }) => family === 'IPv4').map(({ address }) => address);
    for (const host of ['127.0.0.1', '127.8.9.10', '::ffff:127.0.0.1', ...mine]) {
      expect(says(policy, host), host).toContain('port of this aggregator');
      expect(says(policy, host, 1936), host).toBeUndefined();
    }
    expect(says(policy, '::1')).toBeUndefined();
    expect(says(policy, '198.51.100.7')).toBeUndefined();
  });

  test('a listener on :: takes IPv4 too', () => {
    const policy = new PushPolicy();
    policy.addListener({ host: '::', port: 1935 });
    for (const host of ['127.0.0.1', '::1', '::ffff:127.0.0.1'])
      expect(says(policy, host)).toContain('this aggregator');
  });

  test('a listener on one address is that one only', () => {
    const policy = new PushPolicy();
    policy.addListener({ host: '127.0.0.1', port: 1935 });
    expect(says(policy, '127.0.0.1')).toContain('this aggregator');
    expect(says(policy, '127.0.0.2')).toBeUndefined();
  });

  test('are allowed only where a rule names address and port', () => {
    const lifted = (rule: string): boolean => {
      const policy = new PushPolicy({ pushAllow: [rule] });
      policy.addListener({ host: '0.0.0.0', port: 1935 });
      return says(policy, '127.0.0.1') === undefined;
    };
    expect(lifted('127.0.0.1:1935')).toBe(true);
    for (const rule of ['127.0.0.1', '127.0.0.0/8', '*', '*:1935', '0.0.0.0/0']) expect(lifted(rule)).toBe(false);
  });
});

describe('push-allow and push-deny', () => {
  const verdicts = (rules: { pushAllow?: string[]; pushDeny?: string[] }, hosts: string[], port = 1935): string[] => {
    const policy = new PushPolicy(rules);
    return hosts.filter((host) => policy.refusesHost(host, port) === undefined);
  };

  test('with push-allow, nothing else is', () => {
    const hosts = ['10.1.2.3', '11.0.0.1', '::ffff:10.9.9.9', 'fd00::1', 'fe00::1', '127.0.0.1'];
    expect(verdicts({ pushAllow: ['10.0.0.0/8', 'fd00::/8'] }, hosts)).toEqual([
      '10.1.2.3',
      '::ffff:10.9.9.9',
      'fd00::1',
    ]);
  });

  test('push-deny wins, whatever the order and however an address is written', () => {
    const rules = { pushAllow: ['10.0.0.0/8', '*'], pushDeny: ['10.0.0.66'] };
    const hosts = ['10.0.0.65', '10.0.0.66', '::ffff:10.0.0.66', '64:ff9b::10.0.0.66', '2002:a00:42::'];
    expect(verdicts(rules, hosts)).toEqual(['10.0.0.65']);
  });

  test('a wide network does not lift what is denied by default; one that is as narrow does', () => {
    const hosts = ['169.254.10.1', '169.254.169.254', '10.0.0.1'];
    expect(verdicts({ pushAllow: ['0.0.0.0/0', '*'] }, hosts)).toEqual(['10.0.0.1']);
    expect(verdicts({ pushAllow: ['169.254.0.0/16', '*'] }, hosts)).toEqual(['169.254.10.1', '10.0.0.1']);
    expect(verdicts({ pushAllow: ['169.254.169.254'] }, hosts)).toEqual(['169.254.169.254']);
  });

  test('rules with a port are for that port', () => {
    expect(verdicts({ pushAllow: ['*:1935', '[fd00::1]:443'] }, ['10.0.0.1', 'fd00::1'])).toEqual([
      '10.0.0.1',
      'fd00::1',
    ]);
    expect(verdicts({ pushAllow: ['*:1935', '[fd00::1]:443'] }, ['10.0.0.1', 'fd00::1'], 443)).toEqual(['fd00::1']);
    expect(verdicts({ pushDeny: ['*:6379'] }, ['10.0.0.1'], 6379)).toEqual([]);
    expect(verdicts({ pushDeny: ['[fd00::/8]:6379'] }, ['fd00::1'], 6379)).toEqual([]);
  });

  test('names: themselves, or what is below a domain', () => {
    const policy = new PushPolicy({ pushAllow: ['engine.example', '*.cdn.example'], pushDeny: ['bad.cdn.example'] });
    const allowed = ['engine.example', 'ENGINE.example', 'engine.example.', 'a.cdn.example', 'b.a.cdn.example'];
    for (const host of allowed) expect(policy.refusesHost(host, 1935), host).toBeUndefined();
    const refused = [
      'cdn.example',
      'xcdn.example',
      'engine.example.evil.example',
      'bad.cdn.example',
      'BAD.cdn.example.',
    ];
    for (const host of refused) expect(policy.refusesHost(host, 1935), host).toBeDefined();
    // By a name that is allowed, any address is, but for those that are denied.
    expect(policy.refuses('engine.example', '10.0.0.1', 1935)).toBeUndefined();
    expect(policy.refuses('engine.example', '169.254.169.254', 1935)).toBeDefined();
    expect(policy.refusesHost('10.0.0.1', 1935)).toBeDefined();
  });

  test('with networks allowed, a name waits for its address', () => {
    const policy = new PushPolicy({ pushAllow: ['10.0.0.0/8'] });
    expect(policy.refusesHost('engine.example', 1935)).toBeUndefined();
    expect(policy.refuses('engine.example', '10.0.0.1', 1935)).toBeUndefined();
    expect(policy.refuses('engine.example', '11.0.0.1', 1935)?.message).toContain('push-allow does not have it');
  });

  test('the message names the rule that refused', () => {
    const policy = new PushPolicy({ pushDeny: ['10.0.0.0/8:1935'] });
    expect(policy.refusesHost('10.9.9.9', 1935)?.message).toBe(
      'pushes may not go to 10.9.9.9, port 1935: push-deny has 10.0.0.0/8:1935',
    );
  });
});

describe('rules', () => {
  test.each([
    '10.0.0.0/8',
    '10.0.0.1',
    '10.0.0.1:1935',
    '0.0.0.0/0',
    'fd00::/8',
    '::1',
    '[::1]:1935',
    '[fd00::/8]:443',
    '::ffff:10.0.0.0/104',
    'engine.example',
    'engine.example.:443',
    '*.cdn.example',
    '_rtmp.example',
    '*',
    '*:1935',
  ])('%s', (text) => {
    expect(parseTargetRule(text).text).toBe(text);
  });

  test.each([
    ['', 'must be'],
    ['10.0.0.0/33', 'length of prefix'],
    ['10.0.0.0/', 'length of prefix'],
    ['fd00::/129', 'length of prefix'],
    ['10.0.0.1/8', 'bits beyond'],
    ['fd00::1/8', 'bits beyond'],
    ['::ffff:10.0.0.0/8', 'length of prefix'],
    ['10.0.0', 'must be'],
    ['0x7f.1', 'must be'],
    ['2130706433', 'must be'],
    ['0177.0.0.1', 'must be'],
    ['256.0.0.1', 'must be'],
    ['fe80::1%eth0', 'must be'],
    ['*.', 'must be'],
    ['a.*.example', 'must be'],
    ['rtmp://engine.example', 'must be'],
    ['engine.example:0', 'port'],
    ['engine.example:70000', 'port'],
    ['[engine.example]:1', 'brackets'],
    ['engine example', 'must be'],
  ])('%s is none', (text, message) => {
    expect(() => parseTargetRule(text)).toThrow(message);
  });
});

describe('networks', () => {
  test('hold the addresses that Node says they do', () => {
    const text = (bytes: readonly number[]): string =>
      bytes.length === 4
        ? bytes.join('.')
        : Array.from({ length: 8 }, (_, i) => (bytes[2 * i]! * 256 + bytes[2 * i + 1]!).toString(16)).join(':');
    const cases = fc.constantFrom(4, 16).chain((length) =>
      fc.record({
        bytes: fc.array(fc.nat(255), { minLength: length, maxLength: length }),
        prefix: fc.nat(8 * length),
        // A bit that differs, within the prefix or beyond it.
        flipped: fc.option(fc.nat(8 * length - 1)),
      }),
    );
    let held = 0;
    const runs = 500;
    fc.assert(
      fc.property(cases, ({ bytes, prefix, flipped }) => {
        const family = bytes.length === 4 ? 'ipv4' : 'ipv6';
        const base = bytes.map((byte, i) => byte & ~(0xff >> Math.min(8, Math.max(0, prefix - 8 * i))));
        const other = [...bytes];
        if (flipped !== null) other[flipped >> 3]! ^= 0x80 >> (flipped & 7);
        fc.pre(parseAddress(text(base))?.bytes.length === base.length);
        fc.pre(parseAddress(text(other))?.bytes.length === base.length);
        const list = new BlockList();
        list.addSubnet(text(base), prefix, family);
        const expected = list.check(text(other), family);
        if (expected) held++;
        expect(matchesNetwork(network(`${text(base)}/${prefix}`), parseAddress(text(other))!)).toBe(expected);
      }),
      { numRuns: runs },
    );
    expect(held).toBeGreaterThan(runs / 10);
    expect(held).toBeLessThan(runs);
  });
});

describe('addresses', () => {
  test('every IPv4 address is the same in IPv6, however it is written', () => {
    fc.assert(
      fc.property(fc.ipV4(), (text) => {
        expect(parseAddress(`::ffff:${text}`)).toEqual(parseAddress(text));
        expect(embeddedIpv4(parseAddress(`64:ff9b::${text}`)!).map((each) => each.text)).toContain(text);
      }),
    );
  });

  test('IPv6 in every form has its 16 bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        fc.pre(!(bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff));
        const groups = Array.from({ length: 8 }, (_, i) => (bytes[2 * i]! * 256 + bytes[2 * i + 1]!).toString(16));
        expect(parseAddress(groups.join(':'))?.bytes).toEqual([...bytes]);
      }),
    );
  });
});
