import { parseRtmpUrl, type RtmpUrl } from '../address/rtmp-url.js';
import { TargetError } from '../errors.js';

/** A target that sends us on more often than this does not know where to. */
const maxRedirects = 3;

/**
 * Where a target sends its publishers instead. Each step is judged as every URL is, by whoever dials it; here is what the
 * redirect itself may not do: go in a circle, go on and on, or have a stream that was to be encrypted sent in the clear.
 * User name, password and the query of the application stay with the host that they are for, unless the redirect has some.
 */
export class Redirects {
  readonly #visited = new Set<string>();

  /** @param from the URL that was to be published to */
  constructor(from: RtmpUrl) {
    this.#visited.add(keyOf(from));
  }

  /**
   * The URL to publish to instead of `from`.
   * @param redirect as the target says it: a tcUrl, or a whole URL with the name of the stream at its end
   * @throws TargetError TARGET_REDIRECT
   */
  follow(from: RtmpUrl, redirect: string): RtmpUrl {
    const to = this.#parse(from, redirect);
    const shown = `${to.scheme}://${to.host}:${to.port}`;
    if (from.scheme === 'rtmps' && to.scheme === 'rtmp') {
      throw new TargetError(
        'TARGET_REDIRECT',
        `the target redirects from rtmps to ${shown}, where all is in the clear`,
      );
    }
    if (this.#visited.has(keyOf(to))) {
      throw new TargetError('TARGET_REDIRECT', `the target redirects in a circle: to ${shown} again`);
    }
    if (this.#visited.size > maxRedirects) {
      throw new TargetError('TARGET_REDIRECT', `the target redirects more than ${maxRedirects} times, now to ${shown}`);
    }
    this.#visited.add(keyOf(to));
    const isSameHost = to.host === from.host;
    if (!isSameHost || to.username !== undefined) return to;
    const { username, password } = from;
    return {
      ...to,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
    };
  }

  #parse(from: RtmpUrl, redirect: string): RtmpUrl {
    const [name = ''] = from.streamName.split('?', 1);
    const [text = '', query] = redirect.split('?', 2);
    const bare = text.replace(/\/+$/, '');
    const hasPath = /^[^:/]+:\/\/[^/]+\/./.test(bare);
    try {
      if (hasPath && bare.endsWith(`/${name}`) && bare.slice(0, -name.length).split('/').length > 4) {
        const to = parseRtmpUrl(redirect);
        // The key of the stream is not repeated by all.
        return query === undefined ? { ...to, streamName: from.streamName } : to;
      }
      const [app = ''] = from.app.split('?', 1);
      const tcUrl = hasPath ? bare : `${bare}/${app}`;
      const to = parseRtmpUrl(`${tcUrl}/${name}`);
      const behind = query === undefined ? '' : `?${query}`;
      // What is behind the host is the application, however many parts it has; the stream name is ours.
      const path = tcUrl.replace(/^[^:/]+:\/\/[^/]+\//, '') + behind;
      const origin = to.tcUrl.slice(0, to.tcUrl.length - to.app.length);
      return { ...to, app: path, tcUrl: origin + path, streamName: from.streamName };
    } catch (error) {
      throw new TargetError('TARGET_REDIRECT', 'the target redirects to something that is not an RTMP URL', {
        cause: error,
      });
    }
  }
}

/**
 * Where a target wants to be reconnected to (`NetConnection.Connect.ReconnectRequest`, Enhanced RTMP v2): a `tcUrl`, whole
 * or relative to the one of now. The same place is as good as another.
 * @throws TargetError TARGET_REDIRECT
 */
export function reconnectUrl(from: RtmpUrl, tcUrl: string | undefined): RtmpUrl {
  if (tcUrl === undefined) return from;
  const { scheme, host, port } = from;
  const origin = `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const whole = tcUrl.startsWith('//')
    ? `${scheme}:${tcUrl}`
    : tcUrl.startsWith('/')
      ? origin + tcUrl
      : /^[a-z]+:\/\//i.test(tcUrl)
        ? tcUrl
        : `${origin}/${tcUrl}`;
  // Nothing was visited before.
  return new Redirects({ ...from, streamName: '\0' }).follow(from, whole);
}

function keyOf({ scheme, host, port, app, streamName }: RtmpUrl): string {
  return `${scheme}://${host}:${port}/${app}/${streamName}`;
}
