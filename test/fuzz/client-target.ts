import { defaultSettings } from '../../src/config/index.js';
import { WireError } from '../../src/errors.js';
import { ClientSession } from '../../src/rtmp/client-session.js';
import { sessionLimits } from '../../src/rtmp/settings.js';
import { encodeAmf0 } from '../../src/wire/amf0.js';
import { mutateBytes, splitIntoSteps } from './byte-mutation.js';
import { ChunkCheck } from './chunk-check.js';
import type { Message } from './chunk-model.js';
import { Finding, type FuzzTarget } from './input.js';
import type { Seeds } from './seeds.js';
import { mutateSession } from './session-mutation.js';

const clientHandshakeBytes = 3073;

/** A target's answers to our publishing client. */
export function clientTarget(seeds: Seeds): FuzzTarget {
  const answers: Message[] = [
    'NetStream.Publish.BadName',
    'NetStream.Unpublish.Success',
    'NetStream.Publish.Start',
  ].map((code) => ({
    ...{ csid: 5, type: 20, timestampMs: 0, streamId: 1 },
    payload: encodeAmf0('onStatus', 0, null, { level: code.endsWith('BadName') ? 'error' : 'status', code }),
  }));
  const others = [...seeds.servers.flatMap(({ messages }) => messages), ...answers];
  return {
    name: 'client',
    weight: 4,
    generate(random) {
      const seed = random.pick(seeds.servers);
      const handshake = random.oneIn(30) ? mutateBytes(seed.handshake, random, 3) : seed.handshake;
      const bytes = Buffer.concat([handshake, mutateSession(seed.messages, random, ['cam'], others)]);
      return splitIntoSteps(bytes, random);
    },
    run(input, timed) {
      const check = new ChunkCheck(128, [1, 3, 4, 5, 20], () => {});
      let handshakeLeft = clientHandshakeBytes;
      let published = 0;
      const session = new ClientSession({
        target: { app: 'live', tcUrl: 'rtmp://127.0.0.1:1935/live', streamName: 'cam?key=1', via: '00ff' },
        handler: {
          onCommand(text) {
            if (text.length > 200) throw new Finding('memory', `a record of ${text.length} characters`);
          },
          onPublished: () => {
            published++;
          },
          onRefused(error) {
            if (error.message.length > 600)
              throw new Finding('memory', `a reason of ${error.message.length} characters`);
            if (error.message.includes('key=1'))
              throw new Finding('secret', `the key is in the reason: ${error.message}`);
          },
        },
        write(data) {
          const rest = data.subarray(Math.min(handshakeLeft, data.length));
          handshakeLeft -= data.length - rest.length;
          if (rest.length > 0) check.feed(rest);
        },
        limits: sessionLimits(defaultSettings().media),
        outChunkBytes: 65_536,
      });
      session.start();
      try {
        for (const { data } of input) timed(() => session.receive(data));
        timed(() => session.end());
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        // What a message says ends nothing: only a chunk stream that cannot be followed does, or a limit.
        if (error.code !== 'RTMP_CHUNK' && error.code !== 'RTMP_HANDSHAKE') throw new Finding('fatal', error.message);
      }
      if (!check.complete) throw new Finding('output', 'the client wrote a part of a message');
      if (published > 1) throw new Finding('state', `published ${published} times`);
    },
  };
}
