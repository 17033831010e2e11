import { createServer } from 'node:http';
import { expect, test } from 'vitest';
import { NodeTokens } from '../../src/cluster/node-token.js';
import type { ClusterNodes } from '../../src/cluster/nodes.js';
import { Peers } from '../../src/cluster/peers.js';
import { ClusterSecret } from '../../src/cluster/secret.js';

test("a node that refuses this node's token is one that does not answer, since it is not the caller's that is wrong", async (context) => {
  const secret = ClusterSecret.fromText('5ec2e7'.padEnd(64, '0'));
  const [own, theirs] = ['a', 'b'].map((id) => new NodeTokens(secret, '/x/', id)) as [NodeTokens, NodeTokens];
  const server = createServer((request, response) => {
    const token = String(request.headers.authorization).replace('Bearer ', '');
    // Its clock is 5 minutes ahead.
    const found = theirs.verify(token, Date.now() + 300_000);
    const message = 'refusal' in found ? `the token is not taken: ${found.refusal}` : '';
    response.writeHead(message === '' ? 200 : 401, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ code: 'UNAUTHORIZED', message }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.onTestFinished(() => void server.close());
  const api = `http://127.0.0.1:${Object(server.address()).port}`;
  const peers = new Peers({ all: [{ id: 'b', api }] } as unknown as ClusterNodes, own);
  await expect(peers.ask('b', { method: 'GET', path: '/v1/cameras', scope: 'read' })).rejects.toMatchObject({
    code: 'NODE_UNAVAILABLE',
    message: expect.stringMatching(/^node b does not answer: it refuses this node: .*compare the clocks of the nodes/),
  });
});
