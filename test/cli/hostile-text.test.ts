import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { testScope } from '../support/scope.js';
import { cli } from './support.js';

/** ESC, CSI, BEL, CR, NEL, DEL, line and paragraph separators, bidi marks and isolates, BOM, tags, half a pair. */
const hostile =
  'a\u001b[2J\u009b31m\u0007\r\u0085\u007f\u2028\u2029\u202e\u2066\u2069\u200e\u200f\u061c\u200b\ufeff\u00ad\u{e0001}\ud800\u001b]0;x\u0007\u001b[31mz\nFORGED LINE';
const esc = String.fromCharCode(27);
/** Colours, and the line that is written anew: a command's own, on a terminal. */
const ownSigns = new RegExp(`${esc}\\[(?:0|1|2|22|31|32|33|39)m|\\r${esc}\\[K`, 'g');
const printable = /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]*$/u;

/** An API in which every text is of somebody else's choice. */
const anything: unknown = new Proxy(
  {},
  {
    get: (_, key) => (key === 'toJSON' ? undefined : hostile),
  },
);

const since = '2030-01-31T00:00:00Z';
const error = { code: hostile, message: hostile, at: since, since, count: 1, firstAt: since };
const push = {
  ...{ id: hostile, url: hostile, engine: hostile, state: hostile, since, enabled: true, label: hostile },
  ...{ bitrateBps: 1, droppedFrames: 0, queueBytes: 0, queueAgeMs: 0, lastError: error, nextRetryAt: null, attempt: 1 },
  ...{ droppedBy: { bytes: 0, age: 0, total: 0 }, bytesOut: 1, bytesAcknowledged: null, createdAt: since, connects: 1 },
};
const camera = {
  ...{ name: hostile, type: hostile, endpoint: hostile, rtmpsEndpoint: hostile, live: true, publisher: hostile },
  ...{ videoCodec: hostile, audioCodec: hostile, encoder: hostile, viewers: 0, bitrateInBps: 1, pushes: [push] },
};
const node = {
  ...{ name: hostile, status: hostile, version: hostile, startedAt: since, rtmp: { host: hostile, port: 1 } },
  ...{ liveCameras: 1, cameras: 1, bitrateInBps: 1, bitrateOutBps: 1, viewers: 0, connections: 1 },
};
const answers: [RegExp, unknown][] = [
  [/\/pushes:test/, { ok: false, steps: [{ step: hostile, ok: false, durationMs: 1, error }] }],
  [/\/events/, { items: [{ at: since, kind: hostile, text: hostile, type: hostile }], next: null }],
  [/\/pushes\/.*\/retry/, push],
  [/\/pushes$|\/pushes\?/, { ...push, items: [push], next: null }],
  [
    /\/play-tokens/,
    { url: hostile, httpUrl: hostile, rtmpsUrl: hostile, token: hostile, endsAt: since, expiresAt: since },
  ],
  [/\/debug$/, { camera: hostile, endsAt: hostile, notice: hostile }],
  [/\/v1\/cameras\/[^/]+/, camera],
  [/\/v1\/cameras/, { ...camera, items: [camera], next: null }],
  [
    /\/v1\/engines/,
    {
      ...{ name: hostile, host: hostile, pushUrl: hostile },
      items: [{ name: hostile, host: hostile, location: hostile, pushUrl: hostile, playbackUrl: hostile }],
      next: null,
    },
  ],
  [
    /\/v1\/tokens/,
    {
      ...{ name: hostile, scope: hostile, token: hostile, expiresAt: hostile },
      items: [{ name: hostile, scope: hostile, createdAt: hostile, expiresAt: hostile, lastUsedAt: since }],
      next: null,
    },
  ],
  [/\/v1\/log/, { level: hostile, configured: 'info', cameras: [{ camera: hostile, endsAt: hostile }] }],
  [/\/v1\/nodes/, { items: [node], next: null }],
  [/\/v1\/config/, { problems: [{ code: hostile, message: hostile, since: hostile }] }],
];

async function serve(scope: ReturnType<typeof testScope>, isRefusing = false): Promise<string> {
  const server = createServer((request, response) => {
    const found = answers.find(([path]) => path.test(request.url ?? ''))?.[1] ?? anything;
    const body = isRefusing ? { code: hostile, detail: hostile, title: hostile } : found;
    response.writeHead(isRefusing ? 409 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  scope.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const commands = [
  ['status'],
  ['top'],
  ['camera', 'list'],
  ['camera', 'show', 'x'],
  ['camera', 'add', 'x'],
  ['camera', 'remove', hostile],
  ['camera', 'rotate-key', 'x'],
  ['camera', 'play-token', 'x'],
  ['camera', 'play-token', 'x', '--http'],
  ['camera', 'debug', 'x'],
  ['push', 'list'],
  ['push', 'add', 'x', 'rtmp://h/a/b'],
  ['push', 'remove', hostile, hostile],
  ['push', 'retry', 'x', hostile],
  ['push', 'events', 'x', 'y'],
  ['engine', 'list'],
  ['engine', 'add', 'x', '--host', 'h'],
  ['engine', 'remove', hostile],
  ['token', 'list'],
  ['token', 'create', 'x'],
  ['token', 'revoke', hostile],
  ['log-level'],
  ['events'],
  ['logs'],
  [hostile],
  ['camera', hostile],
  ['status', `--${hostile}`],
  ['publish', hostile, `rtmp://${hostile}`],
  ['backup', hostile],
  ['import', hostile],
];

test('what others chose moves no cursor, turns no text and forges no line, in any command', async (context) => {
  const scope = testScope(context);
  for (const isRefusing of [false, true]) {
    const api = await serve(scope, isRefusing);
    for (const command of commands) {
      for (const isTTY of [false, true]) {
        const env = { MEDIA_AGGREGATOR_API: api };
        const { out, err } = await cli(command, { env, isTTY, cwd: scope.temporaryFolder() });
        const said = isTTY ? (out + err).replace(ownSigns, '') : out + err;
        for (const line of said.split('\n')) {
          expect(line, command.join(' ')).toMatch(printable);
          expect(line, command.join(' ')).not.toMatch(/^FORGED/);
        }
        // The colours that others chose are none of ours.
        expect(out + err, command.join(' ')).not.toContain('\u001b[31mz');
      }
    }
  }
});

test('JSON is the same JSON, with nothing in it that a terminal would act on', async (context) => {
  const api = await serve(testScope(context));
  const env = { MEDIA_AGGREGATOR_API: api };
  let read = 0;
  for (const command of commands.filter(([first]) =>
    ['camera', 'push', 'engine', 'token', 'status', 'log-level'].includes(first ?? ''),
  )) {
    const { out, code } = await cli([...command, '--json'], { env });
    if (code !== 0 && out === '') continue;
    read += 1;
    for (const line of out.split('\n')) expect(line, command.join(' ')).toMatch(printable);
    const parsed: unknown = JSON.parse(out);
    if (command[1] === 'list' || command[0] === 'status')
      expect(JSON.stringify(parsed)).toContain(JSON.stringify(hostile).slice(1, -1));
  }
  expect(read).toBeGreaterThan(12);
});
