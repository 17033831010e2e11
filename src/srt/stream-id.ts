/** What a stream id asks for, as the path and the query of an RTMP URL say it, so that the same rules judge both. */
export interface StreamIdRequest {
  /** The application, which is what is told of a name that is not known. */
  readonly app: string;
  /** With its query: `gate-1?key=KEY&ingest=backup`. */
  readonly streamName: string;
}

const structured = '#!::';
/** ffmpeg sends what stands in its URL as it is, and in a URL `#` is written `%23`. */
const encodedStart = /^%23(?:!|%21)(?::|%3a){2}/i;
/** What the access control guidelines of libsrt name, and what has no meaning here. */
const own = { resource: 'r', mode: 'm' } as const;

/**
 * Reads a stream id: `#!::r=NAME,m=publish,key=KEY,ingest=backup` (SRT Access Control Guidelines), or the plain form
 * `NAME?key=KEY&ingest=backup`, as at the end of an RTMP URL. `publish/NAME` and `publish:NAME:KEY`, as other servers want
 * it, are read too.
 * @returns null where it asks to be sent something
 */
export function readStreamId(given: string): StreamIdRequest | null {
  const id = encodedStart.test(given) ? decoded(given) : given;
  if (id.startsWith(structured)) return readStructured(id.slice(structured.length));
  const colons = /^\/*(publish|read|request|play):([^:?&]*)(?::([^:]*))?$/.exec(id);
  if (colons !== null) {
    const [, mode, name = '', key] = colons;
    if (mode !== 'publish') return null;
    return placeOf(name, key === undefined ? '' : new URLSearchParams({ key }).toString());
  }
  const at = id.search(/[?&]/);
  return at < 0 ? placeOf(id, '') : placeOf(id.slice(0, at), id.slice(at + 1));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function readStructured(text: string): StreamIdRequest | null {
  let resource = '';
  const query = new URLSearchParams();
  for (const pair of text.split(',')) {
    const at = pair.indexOf('=');
    const [name, value] = at < 0 ? [pair, ''] : [pair.slice(0, at).trim(), pair.slice(at + 1)];
    if (name === own.resource) resource = value;
    else if (name === own.mode) {
      if (value !== 'publish') return null;
    } else if (name !== '' && !query.has(name)) query.set(name, value);
  }
  const [path = '', ofResource = ''] = resource.split('?', 2);
  return placeOf(path, [ofResource, query.toString()].filter((each) => each !== '').join('&'));
}

/** A name alone stands for both parts of an RTMP URL. */
function placeOf(given: string, query: string): StreamIdRequest {
  const path = given.replace(/^\/+/, '').replace(/^publish\/(?=[^/]+)/, '');
  const [app = '', ...rest] = path.split('/');
  const streamName = rest.length === 0 ? app : rest.join('/');
  return { app, streamName: query === '' ? streamName : `${streamName}?${query}` };
}
