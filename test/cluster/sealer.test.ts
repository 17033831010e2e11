import { describe, expect, it } from 'vitest';
import { Sealer } from '../../src/cluster/sealer.js';
import { ClusterSecret } from '../../src/cluster/secret.js';
import { isStaleEntry, openEntry, sealEntry } from '../../src/store/sealing.js';

const [one, two] = ['5ec2e7'.padEnd(64, '0'), '0123456789abcdef'.repeat(4)];
const sealerOf = (text: string) => new Sealer(ClusterSecret.fromText(text));

describe('sealing', () => {
  it('is opened at its place by who has the secret, and by nobody else', () => {
    const [a, b] = [sealerOf(one), sealerOf(one)];
    const sealed = a.seal('rtmp://host/app/stream-key', 'cameras/gate/pushes/out/url');
    expect(sealed).not.toContain('stream-key');
    expect(a.seal('x', 'p')).not.toBe(a.seal('x', 'p'));
    expect(b.open(sealed, 'cameras/gate/pushes/out/url')).toBe('rtmp://host/app/stream-key');
    expect(() => b.open(sealed, 'cameras/gate/pushes/other/url')).toThrow(/for another place/);
    const changed = sealed.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
    expect(() => b.open(changed.replace(/.{4}$/, 'AAAA'), 'cameras/gate/pushes/out/url')).toThrow(/was changed/);
    expect(() => sealerOf(two).open(sealed, 'cameras/gate/pushes/out/url')).toThrow(
      /a secret \([0-9a-f]{8}\) that is not/,
    );
    expect(() => b.open('sealed:00', 'p')).toThrow(/not sealed as this version/);
    expect(b.open('written by hand', 'p')).toBe('written by hand');
    expect(() => b.openSealed('written by hand', 'p')).toThrow(/not sealed/);
  });

  it('goes on with a former secret, which is stale then', () => {
    const sealed = sealerOf(one).seal('text', 'p');
    const changing = sealerOf(`${two}\n${one}`);
    expect(changing.open(sealed, 'p')).toBe('text');
    expect(changing.isStale(sealed)).toBe(true);
    expect(changing.isStale(changing.seal('text', 'p'))).toBe(false);
  });

  it('hides the URLs of entries, and nothing else', () => {
    const sealer = sealerOf(one);
    const camera = {
      createdAt: 'now',
      pushes: { out: { url: 'rtmp://h/a/KEY', enabled: true }, e: { engine: 'x' } },
      source: { url: 'rtsp://u:KEY@c/1' },
      ingests: [{ name: 'main', source: 'rtsp://u:KEY@c/2' }, { name: 'b' }],
    };
    const sealed = sealEntry('cameras', 'gate', camera, sealer);
    expect(JSON.stringify(sealed)).not.toContain('KEY');
    expect(sealed).toMatchObject({ createdAt: 'now', pushes: { out: { enabled: true }, e: { engine: 'x' } } });
    expect(openEntry('cameras', 'gate', JSON.parse(JSON.stringify(sealed)), sealer)).toEqual(camera);
    expect(() => openEntry('cameras', 'other', sealed, sealer)).toThrow(/cameras.*other.*source.*another place/s);
    expect(isStaleEntry('cameras', 'gate', sealed, sealer)).toBe(false);
    expect(isStaleEntry('cameras', 'gate', camera, sealer)).toBe(true);
    const engine = { host: 'h', pushUrl: 'rtmp://u:PW@{host}/a/{name}', playbackUrl: 'http://h' };
    const hidden = sealEntry('engines', 'x', engine, sealer);
    expect(JSON.stringify(hidden)).not.toContain('PW');
    expect(openEntry('engines', 'x', hidden, sealer)).toEqual(engine);
    for (const odd of [null, 5, 'x', [], { pushes: null }, { pushes: { a: 7 } }]) {
      expect(openEntry('cameras', 'gate', odd, sealer)).toEqual(odd);
    }
  });
});
