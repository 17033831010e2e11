/**
 * Where a client says that its stream is. A camera NAME is at `rtmp://HOST:PORT/NAME/NAME`: application NAME, stream NAME.
 * People fill in the two fields of an encoder, Server and Key, in many ways, and servers in between join and split them.
 */
export interface StreamPlace {
  /** The application of `connect`, as the client wrote it. */
  readonly app: string;
  /** The stream name of `publish` or `play`, as the client wrote it. */
  readonly streamName: string;
  /** The URL of `connect`, which counts only where nothing else says anything. */
  readonly tcUrl?: string;
}

/** Says how the two fields of an encoder are filled in. @param name of the camera, or a word for it */
export function howToPublish(name: string): string {
  return `in an encoder, Server is rtmp://HOST:PORT/${name} and Key is ${name} (with ?key=KEY behind it where a key is asked for)`;
}

/**
 * The camera that an application names. Empty: it names none, and the stream name has to; null: none can be meant.
 */
export function cameraInApplication(app: string): string | null {
  const { segments } = partsOf(app);
  return segments.length === 0 ? '' : nameIn(segments);
}

/**
 * The camera that is meant; null: none. It is what application and stream name, joined by a slash, say twice, or once where
 * one of the two is empty. It depends on nothing but the text: which cameras there are does not matter.
 *
 * Left out are queries, slashes too many, blanks around, the instance `_definst_`, and of the stream name what players of
 * old need to say of a file (`flv:NAME`, `NAME.flv`) where the application names the camera as it is. A stream name that is
 * the whole URL counts for itself; it cannot name another camera than the application does.
 */
export function cameraIn({ app, streamName, tcUrl = '' }: StreamPlace): string | null {
  const inApp = partsOf(app).segments;
  const { segments, isUrl } = partsOf(streamName);
  if (isUrl && inApp.length > 0) {
    const name = nameIn(segments);
    return name === nameIn(inApp) ? name : null;
  }
  const joined = [...inApp, ...segments];
  return nameIn(joined.length > 0 ? joined : partsOf(tcUrl).segments);
}

/** The queries of a place, where keys and tokens stand; that of the stream name first. */
export function queriesIn({ streamName, app, tcUrl = '' }: StreamPlace): readonly string[] {
  return [streamName, app, tcUrl].map((text) => partsOf(text).query);
}

/** The value of a query parameter of a place: of the stream name, or of the application; empty if there is none. */
export function parameterIn(place: StreamPlace, parameter: string): string {
  for (const query of queriesIn(place)) {
    const value = new URLSearchParams(query).get(parameter);
    // Some clients put the stream name after the query of the application.
    if (value !== null && value !== '') return value.split('/', 1)[0] ?? '';
  }
  return '';
}

interface Parts {
  readonly segments: readonly string[];
  readonly query: string;
  /** It begins with a scheme and a host, which do not count. */
  readonly isUrl: boolean;
}

/** Signs without a width that come along when a name is copied from a page. */
const invisible = /[\u200b-\u200d\u2060\ufeff]/g;

function partsOf(given: string): Parts {
  const text = given.replace(invisible, '');
  const url = /^\s*rtmp[a-z]{0,2}:\/\/[^/?&]*/i.exec(text)?.[0] ?? '';
  let [path, query] = splitQuery(text.slice(url.length));
  if (path.includes('%')) {
    const [decodedPath, decodedQuery] = splitQuery(decode(path));
    path = decodedPath;
    query = decodedQuery === '' ? query : `${decodedQuery}&${query}`;
  }
  const segments = path
    .split('/')
    .map((segment) => segment.trim())
    .filter((segment) => segment !== '' && segment !== '_definst_');
  return { segments, query, isUrl: url !== '' };
}

/** Some write `NAME&key=KEY`, or both signs: no name has either of them. */
function splitQuery(text: string): [path: string, query: string] {
  const at = text.search(/[?&]/);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at).replace(/^[?&]+/, '')];
}

/** No name has a percent sign, so that what is decoded was never another name. */
function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function nameIn(segments: readonly string[]): string | null {
  const [first, last] = segments;
  if (first === undefined || segments.length > 2) return null;
  if (last === undefined) return withoutPrefix(first);
  const bare = withoutPrefix(last);
  return [last, bare, withoutExtension(last), withoutExtension(bare)].includes(first) ? first : null;
}

function withoutPrefix(name: string): string {
  return name.replace(/^(flv|mp4|f4v|mp3):/i, '').trim();
}

function withoutExtension(name: string): string {
  return name.replace(/\.(flv|mp4|f4v)$/i, '');
}
