import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeAmf0 } from '../../src/wire/amf0.js';
import { type Message, parseMessages } from './chunk-model.js';
import { obsLikeSession } from './obs-like.js';

/** One side of a recorded conversation: its handshake (3,073 bytes) and its messages. */
export interface Seed {
  readonly name: string;
  readonly handshake: Buffer;
  readonly messages: readonly Message[];
  /** How many of the messages come before the first media. */
  readonly opening: number;
}

export interface Seeds {
  /** What publishers and players say. */
  readonly clients: readonly Seed[];
  /** What servers answer to publishers. */
  readonly servers: readonly Seed[];
  readonly flvFiles: readonly Buffer[];
}

const handshakeBytes = 3073;

/** Loads the captures. @param root the folder of the repository */
export function loadSeeds(root: string): Seeds {
  const read = (folder: string, name: string): Buffer =>
    Buffer.from(readFileSync(join(root, folder, `${name}.b64`), 'latin1'), 'base64');
  const wire = (name: string): Seed => seedOf(name, read('test/wire/fixtures', name));
  const own = (name: string): Seed => seedOf(name, read('test/fuzz/fixtures', name));
  const ffmpeg = wire('ffmpeg-publish-client');
  return {
    clients: [
      ffmpeg,
      wire('ffmpeg-extended-client'),
      wire('nginx-push-client'),
      wire('nginx-extended-client'),
      own('gstreamer-publish-client'),
      obsLikeSession(ffmpeg),
      wire('rtmpdump-play-client'),
    ],
    servers: [wire('ffmpeg-publish-server'), wire('nginx-push-server'), own('gstreamer-publish-server')],
    flvFiles: ['rtmpdump-play-flv', 'rtmpdump-extended-flv'].map((name) => read('test/wire/fixtures', name)),
  };
}

function seedOf(name: string, capture: Buffer): Seed {
  const messages = parseMessages(capture.subarray(handshakeBytes));
  return { name, handshake: capture.subarray(0, handshakeBytes), messages, opening: openingOf(messages) };
}

function openingOf(messages: readonly Message[]): number {
  const first = messages.findIndex(({ type }) => type === 8 || type === 9 || type === 18);
  return first < 0 ? messages.length : first;
}

/** The messages with the recorded application and stream name replaced by a camera's. */
export function addressedTo(camera: string, messages: readonly Message[]): Message[] {
  return messages.map((message) => {
    if (message.type !== 20) return { ...message };
    let payload = message.payload;
    for (const word of ['live', 'cam']) {
      const encoded = encodeAmf0(word);
      const at = payload.indexOf(encoded);
      // `live` is also the kind of a publish, behind the name; there it stays.
      if (at < 0 || (word === 'live' && !payload.includes('connect'))) continue;
      payload = Buffer.concat([payload.subarray(0, at), encodeAmf0(camera), payload.subarray(at + encoded.length)]);
    }
    return { ...message, payload };
  });
}
