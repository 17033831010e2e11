import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { refusalOf } from '../../src/api/errors.js';
import { CodedError, ConflictError, type ErrorCode, InputError, NotFoundError, StateError } from '../../src/errors.js';

const kinds = { CodedError, ConflictError, InputError, NotFoundError, StateError };
const source = fileURLToPath(new URL('../../src/', import.meta.url));
/** What answers calls of the API, and what that calls. */
const folders = ['access', 'api', 'cluster', 'control', 'discovery', 'etcd', 'onvif', 'store/etcd'];
const files = [
  'backend/native/node-capacity.ts',
  'backend/native/test-patterns.ts',
  'backend/native/camera-pulls.ts',
  'cli/test-patterns.ts',
];

/** These do end a call with 500, or no call throws them. */
const others: Readonly<Partial<Record<ErrorCode, string>>> = {
  INTERNAL: 'a mistake of the program',
  ADDRESS_IN_USE: 'at the start',
  NODE_ID_TAKEN: 'at the start',
  RELAY_REFUSED: 'told to another node by RTMP',
};

const texts = [
  ...folders.flatMap((folder) =>
    readdirSync(join(source, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(source, folder, name)),
  ),
  ...files.map((name) => join(source, name)),
].map((path) => readFileSync(path, 'utf8'));

const thrown = texts.flatMap((text) =>
  [...text.matchAll(/new (\w+Error)\(\s*'([A-Z_]+)'/g)].map(([, kind, code]) => ({ kind, code: code as ErrorCode })),
);

test('no code that a call of the API can throw is answered as a failure of the aggregator', () => {
  expect(thrown.length).toBeGreaterThan(60);
  const wrong = thrown.filter(({ kind, code }) => {
    if (kind === undefined || !Object.hasOwn(kinds, kind) || others[code] !== undefined) return false;
    return refusalOf(new kinds[kind as keyof typeof kinds](code, 'it was refused')).status === 500;
  });
  expect(wrong).toEqual([]);
});

test('an error that has no status of its own is answered by its kind, and of others only that there was one', () => {
  expect(refusalOf(new ConflictError('IMPORT_CONFLICT', 'other'))).toMatchObject({ status: 409, message: 'other' });
  expect(refusalOf(new InputError('IMPORT_INVALID', 'wrong'))).toMatchObject({ status: 400, code: 'IMPORT_INVALID' });
  expect(refusalOf(new NotFoundError('IMPORT_UNREADABLE', 'none'))).toMatchObject({ status: 404 });
  const failure = refusalOf(new StateError('STATE_UNREADABLE', '/secret/path'));
  expect(failure).toMatchObject({ status: 500, code: 'INTERNAL' });
  expect(failure.message).not.toContain('secret');
});
