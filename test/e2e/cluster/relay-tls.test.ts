import { describe, expect } from 'vitest';
import type { Aggregator } from '../../support/aggregator.js';
import { makeCertificate } from '../../support/certificates.js';
import { startNode } from '../../support/cluster.js';
import { TestEtcd } from '../../support/etcd.js';
import { testWith } from '../../support/peers.js';
import { startRtmpSink } from '../../support/rtmp-sink.js';
import { testScope } from '../../support/scope.js';
import { waitFor } from '../../support/wait.js';

interface Seen {
  readonly hops?: readonly { readonly to: string; readonly state: string; readonly error?: string }[];
  readonly relayedFrom?: { readonly node: string };
  readonly pushes: readonly { readonly state: string; readonly node?: string }[];
}
const look = async (node: Aggregator, camera: string): Promise<Seen> =>
  (await node.apiOk('GET', `/v1/cameras/${camera}?node=self`)) as Seen;

describe('streams between nodes over TLS', () => {
  const test = testWith('etcd');

  test('a node that trusts the certificate sends its streams; from one that does not, pushes go directly', async (context) => {
    const scope = testScope(context);
    const folder = scope.temporaryFolder();
    const ca = makeCertificate(folder, 'ca', { isCa: true });
    const { certFile, keyFile } = makeCertificate(folder, 'node', { ca });
    const [etcd, sink] = await Promise.all([TestEtcd.start(scope), startRtmpSink(scope)]);
    const flags = ['--relay-tls'];
    const listens = ['--rtmps-port', '0', '--rtmps-cert', certFile, '--rtmps-key', keyFile];
    const env = { NODE_EXTRA_CA_CERTS: ca.certFile };
    const [trusting, wary, paris] = await Promise.all([
      startNode(scope, etcd, 'trusting', { flags, env }),
      startNode(scope, etcd, 'wary', { flags }),
      startNode(scope, etcd, 'paris', { location: 'paris', flags: listens }),
    ]);
    for (const [name, node] of [
      ['one', trusting],
      ['two', wary],
    ] as const) {
      await node.addCamera(name);
      await node.apiOk('POST', `/v1/cameras/${name}/pushes`, { id: 'out', url: sink.url(name), via: 'paris' });
      await node.apiOk('POST', '/v1/test-pattern', { camera: name });
    }
    const isActive = ({ hops, pushes }: Seen) => hops?.[0]?.state === 'active' && pushes[0]?.node === 'paris';
    await waitFor(async () => isActive(await look(trusting, 'one')), { what: 'the stream', timeoutMs: 30_000 });
    expect((await look(paris, 'one')).relayedFrom).toEqual({ node: 'trusting', owner: 'trusting' });
    const refused = await waitFor(
      async () => {
        const seen = await look(wary, 'two');
        return seen.pushes[0]?.state === 'active' && seen.hops?.[0]?.error !== undefined && seen;
      },
      { what: 'the push to go directly', timeoutMs: 30_000 },
    );
    expect(refused.hops?.[0]?.error).toMatch(/certificate/i);
    expect((await look(paris, 'two')).relayedFrom).toBeUndefined();
  });
});
