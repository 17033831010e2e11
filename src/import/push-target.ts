import { parseRtmpUrl } from '../address/rtmp-url.js';
import { messageOf } from '../errors.js';

/** What a `push` directive becomes: a URL with what differs from nginx, or why there is none. */
export type PushTarget =
  | { readonly url: string; readonly notes: readonly string[] }
  | { readonly url?: undefined; readonly problem: string };

/** Options that say something about this end of the connection. Nothing depends on them but some picky servers. */
const droppedOptions: ReadonlySet<string> = new Set([
  'pageUrl',
  'swfUrl',
  'flashVer',
  'tcUrl',
  'live',
  'start',
  'stop',
]);

/**
 * The target of `push URL [OPTION=VALUE ...]` of application `camera`, whose stream has the same name.
 *
 * As the module does it (ngx_rtmp_relay_module.c): `rtmp://` may be left out; of the path the first segment is the
 * application and the rest the stream name; `app=` and `playPath=` win over them; an application that is missing is
 * that of the publisher, and so is a stream name.
 */
export function pushTargetOf(args: readonly string[], camera: string): PushTarget {
  const [address = '', ...options] = args;
  const variable = args.find((arg) => arg.includes('$'));
  if (variable !== undefined) {
    return { problem: 'it has a "$", and nginx-rtmp replaces no variables in a push' };
  }
  const notes: string[] = [];
  let app = '';
  let playPath = '';
  for (const option of options) {
    const equals = option.indexOf('=');
    const name = equals < 0 ? option : option.slice(0, equals);
    const value = equals < 0 ? '' : option.slice(equals + 1);
    if (name === 'app') {
      app = value;
    } else if (name === 'playPath') {
      playPath = value;
    } else if (name === 'name') {
      if (value !== '' && value !== camera) {
        return {
          problem: `it is for the stream "${value}" only, but camera ${camera} has one stream, named ${camera}`,
        };
      }
    } else if (droppedOptions.has(name)) {
      notes.push(`${name}= is not sent to the target`);
    } else {
      return { problem: `"${name}" is no option of a push` };
    }
  }
  return buildTarget({ address, app, playPath, camera, notes });
}

function buildTarget(parts: {
  address: string;
  app: string;
  playPath: string;
  camera: string;
  notes: string[];
}): PushTarget {
  const { address, camera, notes } = parts;
  const scheme = /^rtmps?:\/\//i.exec(address)?.[0] ?? '';
  const rest = address.slice(scheme.length);
  const slash = rest.indexOf('/');
  const authority = slash < 0 ? rest : rest.slice(0, slash);
  const path = slash < 0 ? '' : rest.slice(slash + 1);
  const [, pathApp = '', pathStream = ''] = /^([^/]*)\/?([\s\S]*)$/.exec(path) ?? [];
  const app = parts.app || pathApp || camera;
  const streamName = parts.playPath || pathStream || camera;
  if (parts.app === '' && pathApp === '') notes.push(`it names no application, so it is that of the camera, ${camera}`);
  if (parts.playPath === '' && pathStream === '')
    notes.push(`it names no stream, so it is that of the camera, ${camera}`);

  const url = `${(scheme || 'rtmp://').toLowerCase()}${authority}/${app}/${streamName}`;
  try {
    const parsed = parseRtmpUrl(url);
    if (parsed.app !== app || parsed.streamName !== streamName) {
      notes.push(
        'of a path with several slashes the first two parts are the application here; nginx takes the first alone',
      );
    }
    if (parsed.scheme === 'rtmps') return { problem: 'rtmps:// is not supported; nginx-rtmp does not speak it either' };
  } catch (error) {
    return { problem: messageOf(error) };
  }
  return { url, notes };
}
