import Fastify from 'fastify';
import { expect, test } from 'vitest';
import { errorHandler } from '../../src/api/errors.js';
import { CodedError, StateError } from '../../src/errors.js';
import { type LogFields, silentLogger } from '../../src/log/log.js';

test('the log has no stack of what fails elsewhere, as a full disk or another node, and one of what fails here', async () => {
  const lines: unknown[] = [];
  const note =
    (level: string) =>
    (_: string, fields: LogFields = {}) =>
      void lines.push([level, fields.code, fields.stack === undefined ? 'no stack' : 'stack']);
  const app = Fastify();
  app.setErrorHandler(errorHandler({ ...silentLogger, warn: note('warn'), error: note('error') }));
  const failures: Record<string, Error> = {
    disk: new StateError('STATE_WRITE_FAILED', 'state.journal could not be written'),
    node: new CodedError('NODE_UNAVAILABLE', 'node b does not answer'),
    fault: new TypeError('x is undefined'),
  };
  app.get('/:what', ({ params }) => {
    throw failures[(params as { what: string }).what]!;
  });
  for (const what of Object.keys(failures)) await app.inject(`/${what}`);
  expect(lines).toEqual([
    ['warn', 'STATE_WRITE_FAILED', 'no stack'],
    ['warn', 'NODE_UNAVAILABLE', 'no stack'],
    ['error', 'INTERNAL', 'stack'],
  ]);
});
