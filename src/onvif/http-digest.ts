import { createHash, randomBytes } from 'node:crypto';

/** What a device must know one by. */
export interface Login {
  readonly username: string;
  readonly password: string;
}

/** The algorithms of RFC 7616 that Node.js knows, the better first. */
const algorithms = [
  ['SHA-256', 'sha256'],
  ['MD5', 'md5'],
] as const;

interface Challenge {
  readonly algorithm: string;
  readonly hash: string;
  readonly isSession: boolean;
  readonly realm: string;
  readonly nonce: string;
  readonly opaque: string | undefined;
  readonly hasQop: boolean;
}

/**
 * The header `Authorization` that answers a challenge (RFC 7616, 3.4); undefined where no Digest is offered that is known
 * here. Basic is never spoken: it gives the password to whoever asks.
 * @param headers the values of `WWW-Authenticate`
 */
export function answerChallenge(
  headers: readonly string[],
  request: { readonly method: string; readonly path: string },
  { username, password }: Login,
  cnonce = randomBytes(8).toString('hex'),
): string | undefined {
  const challenges = headers.flatMap(challengesIn);
  const chosen = algorithms
    .map(([name]) => challenges.find(({ algorithm }) => algorithm === name))
    .find((each) => each !== undefined);
  if (chosen === undefined) return undefined;
  const { realm, nonce, opaque, hasQop, isSession, hash } = chosen;
  const digest = (text: string): string => createHash(hash).update(text).digest('hex');
  const count = '00000001';
  let first = digest(`${username}:${realm}:${password}`);
  if (isSession) first = digest(`${first}:${nonce}:${cnonce}`);
  const second = digest(`${request.method}:${request.path}`);
  const response = hasQop
    ? digest(`${first}:${nonce}:${count}:${cnonce}:auth:${second}`)
    : digest(`${first}:${nonce}:${second}`);
  return [
    `Digest username=${quoted(username)}`,
    `realm=${quoted(realm)}`,
    `nonce=${quoted(nonce)}`,
    `uri=${quoted(request.path)}`,
    `algorithm=${chosen.algorithm}${isSession ? '-sess' : ''}`,
    `response="${response}"`,
    ...(hasQop ? ['qop=auth', `nc=${count}`, `cnonce="${cnonce}"`] : []),
    ...(opaque === undefined ? [] : [`opaque=${quoted(opaque)}`]),
  ].join(', ');
}

/** One header may have several challenges: `Digest a="b", Basic realm="c"`. */
function challengesIn(header: string): Challenge[] {
  if (header.length > 4096) return [];
  const found: Challenge[] = [];
  let parameters: Map<string, string> | undefined;
  const all: Map<string, string>[] = [];
  // A scheme, or a parameter: name=value with or without quotes.
  for (const [, scheme, name, text, word] of header.matchAll(
    /(?<=^|[,\s])(?:(Digest|Basic|Bearer|Negotiate|NTLM)(?=\s|$)|([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+)))/gi,
  )) {
    if (scheme !== undefined) {
      parameters = undefined;
      if (scheme.toLowerCase() === 'digest') {
        parameters = new Map();
        all.push(parameters);
      }
    } else if (name !== undefined && parameters !== undefined && !parameters.has(name.toLowerCase())) {
      parameters.set(name.toLowerCase(), text?.replace(/\\(.)/g, '$1') ?? word ?? '');
    }
  }
  for (const each of all) {
    const given = (each.get('algorithm') ?? 'MD5').toUpperCase();
    const isSession = given.endsWith('-SESS');
    const algorithm = isSession ? given.slice(0, -5) : given;
    const hash = algorithms.find(([name]) => name === algorithm)?.[1];
    const nonce = each.get('nonce');
    if (hash === undefined || nonce === undefined) continue;
    const qop = each.get('qop');
    // `auth-int` alone is offered by nobody.
    if (qop !== undefined && !qop.split(',').some((one) => one.trim().toLowerCase() === 'auth')) continue;
    const hasQop = qop !== undefined;
    found.push({
      algorithm,
      hash,
      isSession,
      realm: each.get('realm') ?? '',
      nonce,
      opaque: each.get('opaque'),
      hasQop,
    });
  }
  return found;
}

/** Without what would end the header; in UTF-8, whose bytes Node.js writes as they are when they stand for Latin 1. */
function quoted(text: string): string {
  const plain = text.replace(/\p{Cc}/gu, '').replace(/["\\]/g, '\\$&');
  return `"${Buffer.from(plain, 'utf8').toString('latin1')}"`;
}
