import { expect, it } from 'vitest';
import { StreamKeys } from '../../src/admission/stream-keys.js';
import type { ClusterPeer } from '../../src/control/choose-node.js';
import { Places } from '../../src/control/neighbours.js';
import { PublishEndpoints } from '../../src/control/publish-endpoints.js';
import type { ControlSettings } from '../../src/control/settings.js';

const camera = { name: 'gate', createdAt: '2026-01-01T00:00:00.000Z', pushes: {} };

function endpointsAt(peers: readonly ClusterPeer[], more: Partial<ControlSettings> = {}, location?: string) {
  const settings: ControlSettings = {
    ...{ host: '127.0.0.1', rtmpPort: 1935, resourceId: 'a', location: 'berlin' },
    ...{ maxCameras: 1, maxPushesPerCamera: 1, maxEngines: 1, ...more },
  };
  const places = new Places(settings);
  if (peers.length > 0) places.join({ selfId: 'a', peers, holderOf: () => undefined });
  const endpoints = new PublishEndpoints({ settings, places }, new StreamKeys(Buffer.alloc(32)));
  const nodes = places.nodesFor('gate', location);
  return {
    ...endpoints.at(nodes, '127.0.0.1', camera, true),
    ...endpoints.inCluster(camera, nodes, '127.0.0.1', true),
  };
}

const peer = (id: string, location: string, srt?: string): ClusterPeer => ({
  ...{ id, location, rtmp: `rtmp://${id}:1935` },
  ...(srt === undefined ? {} : { srt }),
});

it('by SRT is the node that suits best', () => {
  const peers = [peer('a', 'berlin', 'srt://a:8890'), peer('b', 'paris', 'srt://b:8890')];
  expect(endpointsAt(peers, { srtPort: 8890 }, 'paris')).toMatchObject({
    endpoint: 'rtmp://b:1935/gate/gate',
    srtEndpoint: 'srt://b:8890?streamid=gate',
    endpoints: ['rtmp://b:1935/gate/gate', 'rtmp://127.0.0.1:1935/gate/gate'],
  });
  expect(endpointsAt(peers, { srtPort: 8890 })).toMatchObject({ srtEndpoint: 'srt://127.0.0.1:8890?streamid=gate' });
});

it('by SRT is the best of the nodes that take it, also where the one that is asked does not', () => {
  const peers = [peer('a', 'berlin'), peer('b', 'paris'), peer('c', 'paris', 'srt://c:8890')];
  const { endpoint, srtEndpoint } = endpointsAt(peers);
  expect(endpoint).toBe('rtmp://127.0.0.1:1935/gate/gate');
  expect(srtEndpoint).toBe('srt://c:8890?streamid=gate');
});

it('by SRT is nothing where no node takes it', () => {
  expect(endpointsAt([peer('a', 'berlin'), peer('b', 'paris')])).not.toHaveProperty('srtEndpoint');
  expect(endpointsAt([])).not.toHaveProperty('srtEndpoint');
});

it('by SRT has the key in its stream id', () => {
  const { endpoint, srtEndpoint = '' } = endpointsAt([peer('a', 'berlin'), peer('b', 'paris', 'srt://b:8890')], {
    media: { publishAuth: 'key', playAuth: 'off' },
  });
  const [, key] = endpoint.split('?key=');
  expect(key).toMatch(/^.{10,}$/);
  expect(new URL(srtEndpoint).searchParams.get('streamid')).toBe(`gate?key=${key}`);
});
