import { afterEach, expect, it } from 'vitest';
import { ClusterEvents } from '../../src/api/events/cluster-events.js';
import type { OtherNodes } from '../../src/api/v1/other-nodes.js';
import type { Control } from '../../src/control/control.js';
import type { Figures, StatsListener } from '../../src/control/live-stats.js';
import type { FeedEvent } from '../../src/events/event.js';
import { EventFeed } from '../../src/events/event-feed.js';
import { waitFor } from '../support/wait.js';

/** A node that tells its events, as `GET /v1/events?node=self` does. */
class FakeNode {
  feed = new EventFeed({ startedAtMs: 1000 });
  isSilent = false;
  readonly asked: string[] = [];
  readonly #streams = new Set<ReadableStreamDefaultController<Uint8Array>>();
  figures: Figures | undefined;

  follow(path: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    this.asked.push(path);
    if (this.isSilent) return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    const query = new URL(path, 'http://node').searchParams;
    const last = query.get('lastEventId');
    let end = () => {};
    return Promise.resolve(
      new ReadableStream<Uint8Array>({
        start: (stream) => {
          const { feed } = this;
          const write = (type: string, id: number, json: string) =>
            stream.enqueue(Buffer.from(`event: ${type}\nid: ${id}\ndata: ${json}\n\n`));
          const send = ({ type, id, json }: FeedEvent) => write(type, id, json);
          const reset = () => write('reset', feed.newestId, JSON.stringify({ id: feed.newestId, type: 'reset' }));
          if (query.get('stats') === '1') {
            if (this.figures !== undefined) write('stats', 0, JSON.stringify(this.figures));
            return;
          }
          if (last === null) {
            for (const event of feed.since(feed.idBefore(Number(query.get('recent')), () => true)) ?? []) send(event);
            reset();
          } else {
            const missed = feed.since(Number(last));
            if (missed === undefined) reset();
            else for (const event of missed) send(event);
          }
          const unsubscribe = feed.subscribe(send);
          this.#streams.add(stream);
          end = () => {
            unsubscribe();
            this.#streams.delete(stream);
          };
          signal.addEventListener('abort', () => {
            end();
            stream.error(signal.reason);
          });
        },
        cancel: () => end(),
      }),
    );
  }

  /** The process ends, and begins anew with nothing. */
  restart(): void {
    this.feed = new EventFeed({ startedAtMs: 2000 });
    for (const stream of this.#streams) stream.close();
    this.#streams.clear();
  }
}

const noFigures: Figures = {
  at: '',
  totals: { bitrateInBps: 1, bitrateOutBps: 0, liveCameras: 0, viewers: 0, connections: 0 },
  cameras: {},
};

function cluster() {
  const nodes = new Map([
    ['b', new FakeNode()],
    ['c', new FakeNode()],
  ]);
  const own = new EventFeed({ startedAtMs: 1000 });
  const stats = {
    names: [],
    figuresOf: () => noFigures,
    subscribe: (_: StatsListener) => () => {},
  };
  const others: OtherNodes = {
    get ids() {
      return [...nodes.keys()];
    },
    ask: () => Promise.reject(new Error('not asked')),
    follow: (node, { path, signal }) => nodes.get(node)!.follow(path, signal),
  };
  const places = { elsewhere: (camera: string) => (camera === 'gate' ? 'b' : undefined) };
  const control = { feed: own, stats, places } as unknown as Control;
  const events = new ClusterEvents(control, others, 'a');
  open.push(events);
  return { own, nodes, b: nodes.get('b')!, c: nodes.get('c')!, events };
}

const open: ClusterEvents[] = [];
afterEach(() => {
  for (const events of open.splice(0)) events.close();
});

const live = (feed: EventFeed, camera: string) => feed.publish({ type: 'camera.live', camera });
const textOf = ({ json }: FeedEvent): string => {
  const { type, camera = '', node } = JSON.parse(json) as Record<string, string>;
  return `${node} ${type} ${camera}`.trim();
};
const told = ({ feed }: ClusterEvents): string[] => (feed.since(feed.idBefore(9999, () => true)) ?? []).map(textOf);
const pause = () => new Promise((resolve) => setTimeout(resolve, 5));

it('tells the events of all nodes by time and with their node, changes of the state once', async () => {
  const { own, b, c, events } = cluster();
  live(c.feed, 'third');
  await pause();
  live(own, 'first');
  for (const feed of [own, b.feed, c.feed]) feed.publish({ type: 'camera.registered', camera: 'gate' });
  await pause();
  live(b.feed, 'second');
  await events.enter();
  expect(told(events)).toEqual([
    'c camera.live third',
    'a camera.live first',
    'a camera.registered gate',
    'b camera.live second',
  ]);
  live(b.feed, 'later');
  live(own, 'own');
  await waitFor(() => told(events).length === 6, { what: 'what happens then' });
  expect(told(events)).toEqual(expect.arrayContaining(['b camera.live later', 'a camera.live own']));
  const ids = (events.feed.since(events.feed.idBefore(9999, () => true)) ?? []).map(({ id, json }) => [
    id,
    JSON.parse(json).id,
  ]);
  for (const [id, inJson] of ids) expect(inJson).toBe(id);
  // Asked of itself alone: no question goes round.
  for (const path of [...b.asked, ...c.asked]) expect(path).toContain('node=self');
});

it('names a node that does not answer, answers the rest, and tells what the node had when it is back', async () => {
  const { b, c, events } = cluster();
  c.isSilent = true;
  live(b.feed, 'gate');
  live(c.feed, 'yard');
  const startedMs = performance.now();
  await events.enter();
  expect(performance.now() - startedMs).toBeGreaterThan(2000);
  expect(events.unknown).toEqual(['c']);
  expect(told(events)).toEqual(['b camera.live gate']);
  c.isSilent = false;
  await waitFor(() => told(events).includes('c camera.live yard'), { what: 'its events', timeoutMs: 20_000 });
  expect(events.unknown).toEqual([]);
  expect(told(events)).toContain('c node.known');
});

it('goes on with a node that begins anew: its readers begin anew too, since something may be lost', async () => {
  const { b, nodes, events } = cluster();
  live(b.feed, 'before');
  await events.enter();
  let losses = 0;
  events.onLoss(() => {
    losses += 1;
  });
  const newest = events.feed.newestId;
  b.restart();
  live(b.feed, 'after');
  await waitFor(() => told(events).includes('b camera.live after'), { what: 'the event of its next run' });
  expect(losses).toBe(1);
  expect(events.lostBefore).toBeGreaterThanOrEqual(newest);
  expect(told(events).filter((text) => text === 'b camera.live before')).toHaveLength(1);
  nodes.delete('b');
  await waitFor(() => told(events).includes('b node.left'), { what: 'its leave' });
});

it('shows of each camera the figures of its node, with each push as the node shows it that runs it', async () => {
  const { b, c, events } = cluster();
  const figures = (camera: object) => ({ ...noFigures, cameras: { gate: camera } }) as Figures;
  b.figures = figures({
    bitrateInBps: 7,
    pushes: { out: { state: 'elsewhere', bitrateBps: null }, near: { state: 'active' } },
  });
  c.figures = figures({
    bitrateInBps: 6,
    pushes: { out: { state: 'active', bitrateBps: 5 }, near: { state: 'elsewhere' } },
  });
  const seen: Figures[] = [];
  events.stats.subscribe((changes) => seen.push(changes));
  const gate = () => events.stats.figuresOf(['gate']).cameras.gate;
  await waitFor(() => gate()?.pushes?.out?.state === 'active', { what: 'the figures of both' });
  expect(gate()).toEqual({
    bitrateInBps: 7,
    pushes: { out: { state: 'active', bitrateBps: 5 }, near: { state: 'active' } },
  });
  expect(seen.at(-1)?.totals).toMatchObject({ bitrateInBps: 3, liveCameras: 1 });
});
