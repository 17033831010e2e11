import { isDeepStrictEqual } from 'node:util';
import { maskUrl, parseRtmpUrl } from '../../src/address/rtmp-url.js';
import { parseBody } from '../../src/api/body.js';
import { CodedError, InputError, StateError, WireError } from '../../src/errors.js';
import { decodeState } from '../../src/model/document/decode.js';
import { parseVia, viaOfMetadata, withVia } from '../../src/relay/via.js';
import { type AmfValue, decodeAmf0, encodeAmf0 } from '../../src/wire/amf0.js';
import { encodeFlvTag, flvFileHeader } from '../../src/wire/flv-file.js';
import { FlvTagReader } from '../../src/wire/flv-reader.js';
import { anyValue, encodeLoosely } from './amf-mutation.js';
import { mutateBytes, splitIntoSteps } from './byte-mutation.js';
import { dataStep, Finding, type FuzzTarget } from './input.js';
import type { Random } from './random.js';
import type { Seeds } from './seeds.js';

type CodedErrorClass = new (...args: ConstructorParameters<typeof CodedError>) => CodedError;

/** Runs `work`; an error of this class is what bad input should give, and any other is a find. */
function tolerating(errorClass: CodedErrorClass, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof errorClass)) throw error;
    if (error.message.length > 4000) throw new Finding('memory', `a message of ${error.message.length} characters`);
  }
}

export function amfTarget(seeds: Seeds): FuzzTarget {
  const payloads = [...seeds.clients, ...seeds.servers].flatMap(({ messages }) =>
    messages.filter(({ type }) => type === 18 || type === 20).map(({ payload }) => payload),
  );
  return {
    name: 'amf0',
    weight: 2,
    generate(random) {
      const values: AmfValue[] = random.oneIn(2)
        ? decodeAmf0(random.pick(payloads))
        : Array.from({ length: random.range(1, 6) }, () => anyValue(random));
      const data = encodeLoosely(values, random, random.pick([4, 10, 30, 1_000_000]));
      return [dataStep(random.oneIn(2) ? mutateBytes(data, random, 3) : data)];
    },
    run([step], timed) {
      const data = step?.data ?? Buffer.alloc(0);
      timed(() => {
        parseVia(data.toString('latin1'));
        viaOfMetadata(data);
        withVia(data, ['00ff', '0123']);
        tolerating(WireError, () => {
          const values = decodeAmf0(data);
          const again = decodeAmf0(encodeAmf0(...values));
          if (!isDeepStrictEqual(again, values))
            throw new Finding('round trip', 'AMF0 values change when written again');
        });
      });
    },
  };
}

export function flvTarget(seeds: Seeds): FuzzTarget {
  return {
    name: 'flv',
    weight: 1,
    generate(random) {
      const file = random.oneIn(3)
        ? Buffer.concat([
            flvFileHeader(true, true),
            ...Array.from({ length: random.int(9) }, () =>
              encodeFlvTag(random.pick([8, 9, 18, 40, 0]), random.next(), random.bytes(random.int(400))),
            ),
          ])
        : random.pick(seeds.flvFiles);
      return splitIntoSteps(mutateBytes(file, random, random.int(6)), random);
    },
    run(input, timed) {
      let given = 0;
      let bytes = 0;
      const reader = new FlvTagReader(
        (_type, _timestampMs, payload) => {
          bytes += payload.length;
        },
        { maxTagBytes: 1 << 20 },
      );
      tolerating(CodedError, () => {
        for (const { data } of input) {
          given += data.length;
          timed(() => reader.feed(data));
        }
      });
      if (bytes > given) throw new Finding('output', `${bytes} bytes of tags in ${given} bytes of file`);
    },
  };
}

const urls = [
  ...['rtmp://127.0.0.1/live/cam', 'rtmps://user:p%40ss@example.com:443/app/inst/stream?key=s&x=y'],
  ...['rtmp://[::1]:1935/live/cam', 'rtmp://host/live?vhost=a/stream', 'RTMP://HOST.example:65535/a/b/c'],
];
const urlPieces = [
  ...['rtmp://', ':', '/', '?', '#', '@', '[', ']', '%', '%zz', '%00', '..', '\\', ' ', '\n', '\u202e', '\ud800', 'é'],
  ...['x'.repeat(1100), '/'.repeat(500), '@'.repeat(500), '1'.repeat(300), '&='.repeat(200), '999999', '0'],
];

function mutateText(text: string, pieces: readonly string[], random: Random): string {
  let changed = text;
  for (let i = random.range(1, 5); i > 0; i--) {
    const at = random.int(changed.length + 1);
    const piece = random.oneIn(3) ? String.fromCharCode(random.int(0x10000)) : random.pick(pieces);
    const skip = random.oneIn(2) ? 0 : random.range(1, 6);
    changed = changed.slice(0, at) + (random.oneIn(4) ? '' : piece) + changed.slice(at + skip);
  }
  return changed;
}

/** Texts travel as UTF-16, so that halves of surrogate pairs survive. */
export function urlTarget(): FuzzTarget {
  return {
    name: 'url',
    weight: 1,
    generate: (random) => [dataStep(Buffer.from(mutateText(random.pick(urls), urlPieces, random), 'utf16le'))],
    run([step], timed) {
      const text = step?.data.toString('utf16le') ?? '';
      timed(() => {
        const shown = maskUrl(text);
        if (/[\p{Cc}\u2028\u2029]/u.test(shown)) throw new Finding('log', 'a masked URL holds a control character');
        tolerating(InputError, () => {
          const { host, port, app, streamName, tcUrl } = parseRtmpUrl(text);
          // Application and stream name may be empty, and a key may have blanks: the target judges them.
          const odd = /[^\S ]|\p{Cc}/u.test(app + streamName + tcUrl) || host === '' || /[\s\p{Cc}]/u.test(host);
          if (odd || !(port >= 1 && port <= 65535)) throw new Finding('output', `a URL in odd parts: ${host} ${port}`);
        });
      });
    },
  };
}

const stateFile = JSON.stringify({
  version: 1,
  engines: { e1: { host: 'engine.invalid', pushUrl: 'rtmp://{host}:1935/live/{name}', location: 'a' } },
  cameras: {
    cam: {
      type: 'h264',
      createdAt: '2024-01-01T00:00:00.000Z',
      pushes: { p1: { url: 'rtmp://127.0.0.1/live/cam', enabled: true }, p2: { engine: 'e1' } },
    },
  },
});
const jsonPieces = [
  ...['{', '}', '[', ']', ':', ',', '"', '\\u0000', '\\ud800', '\\', 'null', 'true', '-', '1e999', '0x1', '.5', '/*'],
  ...['"__proto__":{"x":1},', '"constructor":{},', '"toString":1,', '[[[['.repeat(20), '{"a":'.repeat(40), '\u0000'],
  ...['"name":"cam",', '"x"'.repeat(3), ' '.repeat(50), '1'.repeat(400)],
];
const bodies = [
  '{"name":"cam","type":"h264"}',
  '{"name":"cam","se_ip":"127.0.0.1:8080","location":"x"}',
  '"cam"',
  '[]',
];
const emptyState = { cameras: new Map(), engines: new Map() };

export function stateTarget(): FuzzTarget {
  return {
    name: 'state',
    weight: 1,
    generate: (random) => [dataStep(jsonBytes(stateFile, random))],
    run([step], timed) {
      const text = step?.data.toString('utf8') ?? '';
      timed(() =>
        tolerating(StateError, () => {
          decodeState(text, emptyState, '2024-01-01T00:00:00.000Z');
        }),
      );
      checkPrototypes();
    },
  };
}

export function bodyTarget(): FuzzTarget {
  return {
    name: 'body',
    weight: 1,
    generate: (random) => [dataStep(jsonBytes(random.pick(bodies), random))],
    run([step], timed) {
      timed(() =>
        tolerating(InputError, () => {
          parseBody(step?.data ?? Buffer.alloc(0));
        }),
      );
      checkPrototypes();
    },
  };
}

function jsonBytes(text: string, random: Random): Buffer {
  const data = Buffer.from(mutateText(text, jsonPieces, random));
  return random.oneIn(4) ? mutateBytes(data, random, 2) : data;
}

function checkPrototypes(): void {
  for (const key in {}) throw new Finding('prototype', `every object has the property ${key} now`);
}
