import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Aggregator } from '../support/aggregator.js';
import { startProcess } from '../support/process.js';
import { type RtmpSink, startRtmpSink } from '../support/rtmp-sink.js';
import type { Scope } from '../support/scope.js';
import { sleep, waitFor, within } from '../support/wait.js';
import { playByFfmpeg8, type ReadStream, readByFfmpeg8 } from './ffmpeg8.js';
import { type Demands, judge } from './judge.js';
import { tagOf } from './retag.js';
import type { Row } from './rows.js';

export const ways = ['push', 'late push', 'slow target', 'RTMP viewer', 'FLV viewer', 'second aggregator'] as const;
export type Way = (typeof ways)[number];

/** How long a slow target reads nothing. */
const pauseSeconds = 7;
const lateMs = 2500;
/** When nothing has come for so long, nothing more comes: a busy machine may hold a node up for seconds. */
const quietMs = 4000;

const demands: Readonly<Record<Way, Demands>> = {
  push: { tracks: 'all', fromStart: true, withGap: false },
  'late push': { tracks: 'all', fromStart: false, withGap: false },
  'slow target': { tracks: 'all', fromStart: false, withGap: true },
  'RTMP viewer': { tracks: 'default', fromStart: false, withGap: false },
  'FLV viewer': { tracks: 'default', fromStart: false, withGap: false },
  'second aggregator': { tracks: 'all', fromStart: true, withGap: false },
};

interface TracksView {
  readonly live: boolean;
  readonly tracks: readonly { readonly kind: 'video' | 'audio'; readonly id: number; readonly codec: string }[];
}

/** Publishes one row, and returns what each way made of it: words, or what is wrong. */
export async function runRow(scope: Scope, row: Row, near: Aggregator, far: Aggregator): Promise<Map<Way, string>> {
  const folder = scope.temporaryFolder();
  const reference = await row.reference();
  const { id } = row;
  await Promise.all([near.addCamera(id), far.addCamera(id)]);
  const sinks: Partial<Record<Way, RtmpSink>> = {};
  for (const way of ['push', 'late push', 'slow target', 'second aggregator'] as const) {
    sinks[way] = await startRtmpSink(scope);
  }
  const urlOf = (way: Way): string => sinks[way]?.url(id) ?? '';
  await near.addPush(id, urlOf('push'), 'push');
  const slowUrl = `rtmp://127.0.0.1:${await narrow(scope, sinks['slow target']?.port ?? 0)}/live/${id}`;
  // Its own budget: where a busy machine holds the others up, they lose nothing.
  await near.apiOk('POST', `/v1/cameras/${id}/pushes`, { id: 'slow', url: slowUrl, queueMaxAgeMs: 2000 });
  await near.addPush(id, far.url(id), 'far');
  await far.addPush(id, urlOf('second aggregator'), 'on');
  const camera = await row.publish(scope, near.url(id));
  const view = async (node: Aggregator): Promise<TracksView> => (await node.camera(id)) as unknown as TracksView;
  await waitFor(async () => (await view(near)).live, { what: `${id} to be live`, timeoutMs: 60_000 });
  await sleep(lateMs);
  await near.addPush(id, urlOf('late push'), 'late');
  const played = join(folder, 'played.json');
  const player = playByFfmpeg8(scope, near.url(id), played);
  const watched = join(folder, 'viewer.flv');
  const watching = fetch(`${near.apiUrl}/live/${id}.flv`).then(async (response) => {
    writeFileSync(watched, Buffer.from(await response.arrayBuffer()));
  });
  await sleep(1000);
  // The names are true while it is live, at either node.
  const names = [await view(near), await view(far)].map(({ tracks }) =>
    tracks.map(({ kind, id: track, codec }) => `${kind} ${track} ${codec}`).join(', '),
  );
  await within(camera.exited, 60_000, `${id} to end`);
  await within(player.exited, 60_000, `the player of ${id} to end`);
  await within(watching, 60_000, `the viewer of ${id} to end`);
  const count = (): number =>
    Object.values(sinks).reduce((sum, { connections }) => sum + messagesOf(connections).length, 0);
  for (let before = -1; before !== count(); await sleep(quietMs)) before = count();

  const files: string[] = [reference, watched];
  for (const [way, sink] of Object.entries(sinks)) {
    const file = join(folder, `${way}.flv`);
    const tags = messagesOf(sink.connections).map(({ type, timestampMs, payload }) =>
      tagOf(type, timestampMs, payload),
    );
    writeFileSync(file, Buffer.concat([Buffer.from('464c5601050000000900000000', 'hex'), ...tags]));
    files.push(file);
  }
  const [sent = [], flv = [], ...recorded] = await readByFfmpeg8(files);
  const got = new Map<Way, readonly ReadStream[]>(Object.keys(sinks).map((way, i) => [way as Way, recorded[i] ?? []]));
  got.set('FLV viewer', flv);
  got.set('RTMP viewer', (JSON.parse(readFileSync(played, 'utf8')) as ReadStream[][])[0] ?? []);
  const wanted = row.tracks.map(({ kind, id: track, codec }) => `${kind} ${track} ${codec}`).join(', ');
  const wrongNames = names.filter((text) => text !== wanted);
  return new Map(
    ways.map((way) => {
      try {
        if (wrongNames.length > 0) throw new Error(`named ${wrongNames.join(' / ')} instead of ${wanted}`);
        return [way, judge(sent, got.get(way) ?? [], demands[way])] as const;
      } catch (error) {
        return [way, `FAILS: ${(error as Error).message}`] as const;
      }
    }),
  );
}

function messagesOf(connections: RtmpSink['connections']): RtmpSink['connections'][number]['messages'] {
  return connections.flatMap(({ messages }) => messages).filter(({ type }) => type === 8 || type === 9);
}

/** Resolves to the port in front of a target that reads nothing for a while. */
async function narrow(scope: Scope, port: number): Promise<number> {
  const script = fileURLToPath(new URL('narrow.py', import.meta.url));
  const args = [script, `${port}`, '1', `${pauseSeconds}`];
  const process = startProcess(scope, 'python3', args, { name: 'the narrow line' });
  return waitFor(() => Number(process.stdout) || undefined, { what: 'the narrow line' });
}
