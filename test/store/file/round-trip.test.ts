import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CodedError } from '../../../src/errors.js';
import { addCamera, declareCamera } from '../../../src/model/cameras.js';
import { encodeState } from '../../../src/model/document/encode.js';
import { addEngine, declareEngine } from '../../../src/model/engines.js';
import { type DesiredState, emptyState } from '../../../src/model/model.js';
import { addPush, changePush } from '../../../src/model/pushes.js';
import { readVersion } from '../../../src/store/file/disk.js';
import { decodeVersion } from '../../../src/store/file/file-version.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aggregator-round-trip-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const now = '2026-01-01T00:00:00.000Z';
const name = fc.constantFrom('a', 'b', 'constructor', '9');
const pieces = [
  '\ufffd',
  '\ufeff',
  '\ud800',
  '\u2028',
  '\u0085',
  '"',
  '\\',
  '\\u0000',
  'é',
  '\u{1f3a5}',
  ' ',
  '%',
  "'",
];
const odd = fc
  .array(fc.oneof(fc.constantFrom(...pieces), fc.string({ unit: 'binary', maxLength: 3 })), { maxLength: 4 })
  .map((parts) => parts.join(''));
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const type = optional(fc.constantFrom('360', 'plane'));
const template = optional(odd.map((text) => `rtmp://{host}/{type}${text}/{location}${text}{name}`));
const url = odd.map((text) => `rtmp://h/live/x${text}`);
const queueMaxBytes = optional(fc.integer({ min: 64 * 1024, max: 1024 ** 3 }));
const enabled = optional(fc.boolean());
const engine = fc.record({
  name,
  host: fc.constantFrom('H', '[2001:DB8::7]', '192.0.2.1', 'a_b.example'),
  pushUrl: template,
  playbackUrl: optional(odd.map((text) => `http://{host}/${text}{name}`)),
  // The rule of LocationSchema, which the API asks first.
  location: optional(odd.map((text) => `L${text.replace(/[\p{Cc}\p{Cs}]/gu, '')}`)),
});

type Step = (state: DesiredState) => DesiredState;
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ name, type }).map((input) => (state: DesiredState) => addCamera(state, input, now, 10)),
  fc.record({ name, type }).map((input) => (state: DesiredState) => declareCamera(state, input, now, 10)),
  engine.map((input) => (state: DesiredState) => addEngine(state, input, now, 10)),
  engine.map((input) => (state: DesiredState) => declareEngine(state, input, now, 10)),
  fc
    .record({ camera: name, url: optional(url), engine: optional(name), id: optional(name), enabled, queueMaxBytes })
    .map((input) => (state: DesiredState) => addPush(state, input.camera, input, now, 10).state),
  fc
    .record({ camera: name, id: name, enabled, queueMaxBytes })
    .map((input) => (state: DesiredState) => changePush(state, input.camera, input.id, input)),
);

it('every state that is accepted is read again as it was', async () => {
  const path = join(folder, 'state.json');
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 30 }), async (steps) => {
      let state = emptyState;
      for (const change of steps) {
        try {
          state = change(state);
          accepted += 1;
        } catch (error) {
          if (!(error instanceof CodedError)) throw error;
        }
      }
      await writeFile(path, encodeState(state));
      const version = await readVersion(path);
      const again = decodeVersion(version!, emptyState);
      expect(new Map([...again.cameras].sort())).toEqual(new Map([...state.cameras].sort()));
      expect(new Map([...again.engines].sort())).toEqual(new Map([...state.engines].sort()));
    }),
    { numRuns: 300 },
  );
  // Else nearly everything was refused, and nothing was tested.
  expect(accepted).toBeGreaterThan(1000);
});
