import type { FastifyInstance } from 'fastify';
import { InputError } from '../errors.js';
import { JsonError, parseJson } from '../json/strict-json.js';

const maxDepth = 16;

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
      done(null, body.length === 0 ? undefined : parseBody(Buffer.from(body)));
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
    }
  });
}

/** @throws InputError INVALID_JSON, whose message says where and what */
export function parseBody(body: Buffer): unknown {
  try {
    return parseJson(new TextDecoder('utf-8', { fatal: true }).decode(body), { maxDepth });
  } catch (error) {
    if (error instanceof JsonError) {
      throw new InputError('INVALID_JSON', `the body is not JSON: ${error.message}`, { cause: error });
    }
    throw new InputError('INVALID_JSON', 'the body is not UTF-8', { cause: error });
  }
}
