import { isIP } from 'node:net';
import type { PushPolicy } from '../../address/push-policy.js';
import { parseRtmpUrl } from '../../address/rtmp-url.js';
import { CodedError, type ErrorCode, messageOf } from '../../errors.js';
import type { DesiredPush } from '../backend.js';
import type { HostNames } from './host-names.js';

/** A push as nginx can make it. */
export interface PushTarget {
  /** The host that must resolve before nginx takes the configuration; null for an IP address. */
  readonly host: string | null;
  /** The IP address that the URL names; null for a name. */
  readonly ip: string | null;
  readonly port: number;
  /** The parameters of the directive `push`. */
  readonly parameters: readonly string[];
  /** What the statistics call the connection: the URL as written, without its scheme. */
  readonly address: string;
}

/** A word of nginx's configuration must fit into 4 KB, with what is put before it, and signs of several bytes. */
const maxWordChars = 1024;

/** Why nginx cannot make a push. */
export interface Unsupported {
  readonly code: ErrorCode;
  readonly message: string;
}

/** Pushes never change, they are replaced; and there may be thousands to look at for each rendering. */
const known = new WeakMap<Said, PushTarget | Unsupported>();

type Said = Pick<DesiredPush, 'url' | 'audio'>;

/** `pushTarget` of a desired push, worked out once. */
export function targetOf(push: Said): PushTarget | Unsupported {
  let target = known.get(push);
  if (target === undefined) {
    target = push.audio === undefined ? pushTarget(push.url) : noAudio(push.audio);
    known.set(push, target);
  }
  return target;
}

/**
 * What `push` has to say for a URL. nginx takes the first part of the path for the application and the rest for the
 * stream (ngx_rtmp_relay_create_connection), so an application of several parts is named apart.
 */
export function pushTarget(url: string): PushTarget | Unsupported {
  let parsed: ReturnType<typeof parseRtmpUrl>;
  try {
    parsed = parseRtmpUrl(url);
  } catch (error) {
    return { code: error instanceof CodedError ? error.code : 'INVALID_ADDRESS', message: messageOf(error) };
  }
  const { scheme, host, port, app, streamName, tcUrl, username } = parsed;
  if (scheme !== 'rtmp') return unsupported('nginx pushes by rtmp:// only, not by rtmps://');
  if (username !== undefined) {
    return unsupported('nginx cannot log in with a user name and password');
  }
  if (streamName === '')
    return unsupported('nginx would put the name of the camera behind a URL without a stream name');
  if (url.length > maxWordChars) return unsupported(`nginx reads no URL of more than ${maxWordChars} characters`);
  const shownHost = isIP(host) === 6 ? `[${host}]` : host;
  const address = `${shownHost}:${port}/${app}/${streamName}`;
  // A question mark before the first slash would be taken for the end of the host's part.
  const options = /[/?]/.test(app) ? [`app=${app}`, `playPath=${streamName}`, `tcUrl=${tcUrl}`] : [];
  const isName = isIP(host) === 0;
  const parameters = [`rtmp://${address}`, ...options];
  return { host: isName ? host : null, ip: isName ? null : host, port, parameters, address };
}

/**
 * Why nginx must not be told to push there: by the address in the URL, or by any of those that the name had when it was
 * looked up last. nginx looks it up itself when it reads its configuration, and takes one address after the other.
 */
export function forbidden(target: PushTarget, policy: PushPolicy, hosts: HostNames): CodedError | undefined {
  const { host, ip, port } = target;
  if (ip !== null) return policy.refusesHost(ip, port);
  if (host === null) return undefined;
  const byName = policy.refusesHost(host, port);
  if (byName !== undefined) return byName;
  for (const address of hosts.state(host)?.addresses ?? []) {
    const refusal = policy.refuses(host, address, port);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

/** nginx sends what comes, and nothing else. */
export function noAudio(audio: NonNullable<DesiredPush['audio']>): Unsupported {
  return unsupported(`nginx pushes the sound as it comes, and cannot do audio "${audio}"; use --backend native`);
}

function unsupported(message: string): Unsupported {
  return { code: 'TARGET_UNSUPPORTED', message };
}
