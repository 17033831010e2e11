import { createHash, randomBytes } from 'node:crypto';
import { TargetError } from '../errors.js';

/** Those of real servers have a few dozen. */
const maxValueChars = 1024;

/**
 * How a client proves that it knows a password (`authmod=adobe`, of Flash Media Server, taken over by Wowza and others;
 * never published, here as ffmpeg, librtmp and GStreamer do it). All goes in the query of the application, and each
 * answer is a refused `connect`, after which the client reconnects:
 *
 *   1. live                                              ->  code=403 need auth; authmod=adobe
 *   2. live?authmod=adobe&user=NAME                      ->  ?reason=needauth&user=NAME&salt=S&challenge=C&opaque=O
 *   3. live?authmod=adobe&user=NAME&challenge=..&response=..&opaque=O   ->  accepted, or ?reason=authfailed
 *
 * response = base64(md5(base64(md5(NAME S PASSWORD)) O own-challenge)), with C in place of O where there is no O.
 */
export class AdobeAuthentication {
  readonly #username: string | undefined;
  readonly #password: string;
  #told: 'nothing' | 'name' | 'response' = 'nothing';

  /** @param credentials from the URL of the target; without a user name, no target gets any */
  constructor(credentials: { readonly username?: string | undefined; readonly password?: string | undefined }) {
    this.#username = credentials.username;
    this.#password = credentials.password ?? '';
  }

  /**
   * What to do about a refused `connect`.
   * @param description what the target said
   * @returns the query for the application of the next connection, without a question mark; undefined where the refusal
   *   has nothing to do with authentication
   * @throws TargetError TARGET_AUTH when there is nothing that would help; TARGET_PROTOCOL for what is no question
   */
  answer(description: string): string | undefined {
    const reason = /\?reason=([a-z]{1,32})/.exec(description)?.[1];
    const method = /authmod=([A-Za-z0-9]{1,32})/.exec(description)?.[1];
    const isAsked = reason !== undefined || /\bneed auth\b/.test(description);
    // Many servers repeat the query, whatever they refuse.
    if (!isAsked && (method === undefined || this.#told !== 'nothing')) return undefined;
    if (method !== undefined && method !== 'adobe') {
      const known = 'the one that is known is "adobe"';
      throw new TargetError('TARGET_AUTH', `the target requires authentication by ${JSON.stringify(method)}; ${known}`);
    }
    if (this.#username === undefined) {
      const how = 'rtmp://USER:PASSWORD@HOST/APPLICATION/STREAM';
      throw new TargetError(
        'TARGET_AUTH',
        `the target wants a user name and a password; its URL can have them: ${how}`,
      );
    }
    if (this.#told === 'response' || (reason !== undefined && reason !== 'needauth')) {
      throw new TargetError('TARGET_AUTH', 'the target refused the user name or the password of its URL');
    }
    const identity = `authmod=adobe&user=${this.#username.replace(/[%&?#=+ ]/g, encodeURIComponent)}`;
    if (reason === undefined) {
      if (this.#told === 'name') {
        throw new TargetError('TARGET_AUTH', 'the target got the user name and password but asks for them again');
      }
      this.#told = 'name';
      return identity;
    }
    this.#told = 'response';
    const { salt, challenge, opaque } = parameters(description);
    const longest = Math.max(salt.length, challenge.length, opaque.length);
    if (longest > maxValueChars) {
      const what = `the target asks for a password with a value of ${longest} characters`;
      throw new TargetError('TARGET_PROTOCOL', `${what}; ${maxValueChars} are taken`);
    }
    const own = randomBytes(4).toString('hex');
    const secret = digest(this.#username + salt + this.#password);
    const response = digest(secret + (opaque === '' ? challenge : opaque) + own);
    return `${identity}&challenge=${own}&response=${response}${opaque === '' ? '' : `&opaque=${opaque}`}`;
  }
}

function parameters(description: string): { salt: string; challenge: string; opaque: string } {
  const query = /\?(reason=[^\s\]]*)/.exec(description)?.[1] ?? '';
  // Base64 as it is, with its plus and equals signs: no form, which URLSearchParams would read.
  const pairs = query.split('&').map((pair): [string, string] => {
    const [name = ''] = pair.split('=', 1);
    return [name, pair.slice(name.length + 1)];
  });
  const found = new Map(pairs);
  return { salt: found.get('salt') ?? '', challenge: found.get('challenge') ?? '', opaque: found.get('opaque') ?? '' };
}

function digest(text: string): string {
  return createHash('md5').update(text).digest('base64');
}
