import { expect, it } from 'vitest';
import { healthOf } from '../../src/ingest/ingest-health.js';
import { MessageType } from '../../src/wire/message.js';
import { makeStream } from '../relay/fixtures.js';
import { exMessage } from '../support/enhanced.js';

const { Audio, Video } = MessageType;
const config = Buffer.from([0x81, 1, 0, 0]);

/** A camera of two video and two audio tracks, on a clock of its own. */
function start() {
  const begunMs = performance.now();
  const stream = makeStream();
  let atMs = 0;
  const write = (kind: 'video' | 'audio', packet: number, track: number, isKey = false): void => {
    const codec = kind === 'video' ? 'av01' : 'Opus';
    const body = packet === 2 ? Buffer.alloc(0) : packet === 0 && kind === 'video' ? config : Buffer.alloc(40, 7);
    const type = kind === 'video' ? Video : Audio;
    stream.publish(type, atMs, exMessage({ kind, packet, codec, track, isKey, body }), begunMs + atMs);
  };
  /** Sends frames of these tracks. */
  const send = (tracks: readonly number[], forMs: number): void => {
    for (const untilMs = atMs + forMs; atMs < untilMs; atMs += 40) {
      for (const track of tracks) {
        write('video', 1, track, (atMs / 40) % (track === 0 ? 25 : 50) === 0);
        write('audio', 1, track);
      }
    }
  };
  for (const track of [0, 1]) {
    write('video', 0, track);
    write('audio', 0, track);
  }
  const { ingest } = stream;
  const health = () => healthOf(ingest, 3000, begunMs + atMs);
  const defaults = () => ingest.figures(begunMs + atMs).tracks.map(({ kind, id, isDefault }) => [kind, id, isDefault]);
  return { ingest, write, send, health, defaults };
}

it('a track that takes over from an ended one is what the camera is judged by', () => {
  const { ingest, write, send, health, defaults } = start();
  send([0, 1], 4000);
  expect([health(), ingest.defaultVideo, ingest.keyFrameIntervalMs]).toEqual(['ready', 0, 1000]);
  const seen = ingest.meter.videoFrames;
  write('video', 2, 0);
  write('audio', 2, 0);
  // Track 1 goes on as before: the picture is there, and nothing jumps.
  send([1], 8000);
  expect([health(), ingest.defaultVideo, ingest.defaultAudio]).toEqual(['ready', 1, 1]);
  expect([ingest.keyFrameIntervalMs, ingest.meter.timestampJumps]).toEqual([2000, 0]);
  expect(ingest.meter.videoFrames - seen).toBe(200);
  expect(defaults()).toEqual([
    ['video', 0, false],
    ['video', 1, true],
    ['audio', 0, false],
    ['audio', 1, true],
  ]);
  // And back, with the next key frame of track 0.
  send([0, 1], 2000);
  expect([health(), ingest.defaultVideo, ingest.defaultAudio]).toEqual(['ready', 0, 0]);
});

it('a camera whose last track ended has no picture', () => {
  const { write, send, health } = start();
  send([0, 1], 2000);
  for (const track of [0, 1]) write('video', 2, track);
  for (let i = 0; i < 200; i++) {
    send([], 40);
    write('audio', 1, 0);
  }
  expect(health()).toBe('no-picture');
});
