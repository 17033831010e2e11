import type { FastifyInstance } from 'fastify';
import { InputError } from '../errors.js';
import { inStretches } from '../fairness/stretch.js';
import { JsonError, parseJson, parseJsonSteps } from '../json/strict-json.js';

const maxDepth = 16;
/** Larger bodies, which few routes take, are parsed in stretches. */
const atOnceBytes = 64 * 1024;

/**
 * Bodies are JSON in UTF-8, whatever the method: the content manager sends one with GET. A JSON content type with no
 * body is no error: the content manager sends that header always.
 */
export function addBodyParser(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    const encoding = request.headers['content-encoding'];
    if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
      const message = `the body must not be compressed (content-encoding: ${encoding.slice(0, 40)})`;
      done(new InputError('UNSUPPORTED_MEDIA_TYPE', message));
      return;
    }
    try {
      if (body.length > atOnceBytes) parseLarge(body).then((value) => done(null, value), done);
      else done(null, body.length === 0 ? undefined : parseBody(Buffer.from(body)));
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
    }
  });
}

/** @throws InputError INVALID_JSON, whose message says where and what */
export function parseBody(body: Buffer): unknown {
  try {
    return parseJson(decode(body), { maxDepth });
  } catch (error) {
    throw noJson(error);
  }
}

/** The same in stretches: a body of megabytes must not hold up a frame. */
async function parseLarge(body: string | Buffer): Promise<unknown> {
  try {
    return await inStretches(parseJsonSteps(decode(Buffer.from(body)), { maxDepth }));
  } catch (error) {
    throw noJson(error);
  }
}

function decode(body: Buffer): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(body);
}

function noJson(error: unknown): InputError {
  if (error instanceof JsonError) {
    return new InputError('INVALID_JSON', `the body is not JSON: ${error.message}`, { cause: error });
  }
  return new InputError('INVALID_JSON', 'the body is not UTF-8', { cause: error });
}
