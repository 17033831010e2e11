import { createHash, randomBytes } from 'node:crypto';
import { hostInUrl } from '../address/host.js';
import { SourceError } from '../errors.js';
import type { Dialer } from '../net/dialer.js';
import { type DeviceAddress, type Exchanged, exchange } from './exchange.js';
import { answerChallenge, type Login } from './http-digest.js';
import { child, descendants, escapeXml, readLongXml, textAt, type XmlElement } from './xml.js';

/** An answer with hundreds of profiles is smaller. */
const maxAnswerBytes = 512 * 1024;

const wsse = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd';
const wsu = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd';
const digestType = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest';
const base64Type = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary';

/** How a device is asked. */
export interface CallOptions {
  readonly dialer: Dialer;
  readonly timeoutMs: number;
  readonly login: Login | null;
  /** How far the clock of the device is ahead of ours, milliseconds: a digest holds for some seconds of the device's time. */
  readonly clockAheadMs: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * One call (SOAP 1.2). With a login, it bears a digest of the password (WS-Security UsernameToken Profile 1.1, 3.1); where the
 * device wants HTTP Digest in place of that, it is asked once more. The password itself is never sent, and never tried twice.
 * @param request the element in the body, as text
 * @returns the body of the answer
 * @throws SourceError SOURCE_AUTH, SOURCE_NOT_FOUND, SOURCE_TIMEOUT, SOURCE_PROTOCOL; TargetError TARGET_FORBIDDEN; errors of sockets
 */
export async function callSoap(
  address: DeviceAddress,
  path: string,
  request: { readonly action: string; readonly body: string },
  { dialer, timeoutMs, login, clockAheadMs, signal }: CallOptions,
): Promise<XmlElement> {
  const ask = (authorization?: string): Promise<Exchanged> => {
    const isInHeader = authorization !== undefined;
    const security = login === null || isInHeader ? '' : securityOf(login, Date.now() + clockAheadMs);
    return exchange(address, {
      ...{ dialer, timeoutMs, maxBytes: maxAnswerBytes, method: 'POST', path, signal },
      body: envelope(security, request.body),
      headers: {
        'content-type': `application/soap+xml; charset=utf-8; action="${request.action}"`,
        ...(isInHeader ? { authorization } : {}),
      },
    });
  };
  let answer = await ask();
  if (answer.status === 401 && login !== null) {
    const authorization = answerChallenge(answer.challenges, { method: 'POST', path }, login);
    if (authorization !== undefined) answer = await ask(authorization);
  }
  return bodyOf(answer, `${hostInUrl(address.host)}:${address.port}`, login !== null);
}

async function bodyOf(
  { status, body, challenges }: Exchanged,
  endpoint: string,
  hasLogin: boolean,
): Promise<XmlElement> {
  if (status >= 300 && status < 400) {
    const text = `${endpoint} redirects elsewhere (HTTP ${status}), which is not followed`;
    throw new SourceError('SOURCE_PROTOCOL', text);
  }
  if (status === 401) {
    const basicOnly = hasLogin && challenges.length > 0 && challenges.every((each) => /^basic\b/i.test(each));
    if (basicOnly) {
      const text = `${endpoint} asks for the password itself (Basic), which is not sent; allow Digest in the device`;
      throw new SourceError('SOURCE_AUTH', text);
    }
    throw refusedLogin(endpoint, hasLogin);
  }
  let envelope: XmlElement;
  try {
    envelope = await readLongXml(body.toString('utf8'));
  } catch (error) {
    if (status < 400) throw error;
    throw new SourceError(
      status === 404 ? 'SOURCE_NOT_FOUND' : 'SOURCE_PROTOCOL',
      `${endpoint} answers HTTP status ${status}`,
    );
  }
  const content = child(envelope, 'Body');
  if (envelope.name !== 'Envelope' || content === undefined) {
    throw new SourceError('SOURCE_PROTOCOL', `${endpoint} answers with no SOAP envelope (HTTP ${status})`);
  }
  const fault = child(content, 'Fault');
  if (fault === undefined && status < 400) return content;
  throw faultOf(fault, endpoint, status, hasLogin);
}

function faultOf(fault: XmlElement | undefined, endpoint: string, status: number, hasLogin: boolean): SourceError {
  const codes = fault === undefined ? [] : descendants(fault, 'Value', 8).map(({ text }) => text);
  const reason =
    textAt(fault, ['Reason', 'Text'], 200) || textAt(fault, ['faultstring'], 200) || (codes.at(-1) ?? `HTTP ${status}`);
  const all = `${codes.join(' ')} ${reason}`;
  if (status === 403 || /NotAuthori[sz]ed|FailedAuthentication|InvalidSecurity|Unauthori[sz]ed/i.test(all)) {
    return refusedLogin(endpoint, hasLogin);
  }
  const code = /ActionNotSupported|NoProfile|NoSuchService|UnknownAction/i.test(all)
    ? 'SOURCE_NOT_FOUND'
    : 'SOURCE_PROTOCOL';
  return new SourceError(code, `${endpoint} refuses the call: ${reason}`);
}

function refusedLogin(endpoint: string, hasLogin: boolean): SourceError {
  const text = hasLogin
    ? `${endpoint} rejects the user name or the password; ONVIF users are often apart from those of the camera's page`
    : `${endpoint} wants a user name and a password`;
  return new SourceError('SOURCE_AUTH', text);
}

function envelope(security: string, body: string): string {
  return `<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header>${security}</s:Header><s:Body>${body}</s:Body></s:Envelope>`;
}

function securityOf({ username, password }: Login, nowMs: number): string {
  const nonce = randomBytes(16);
  const created = new Date(nowMs).toISOString();
  const digest = createHash('sha1').update(nonce).update(created).update(password, 'utf8').digest('base64');
  return [
    `<o:Security s:mustUnderstand="1" xmlns:o="${wsse}" xmlns:u="${wsu}"><o:UsernameToken>`,
    `<o:Username>${escapeXml(username)}</o:Username>`,
    `<o:Password Type="${digestType}">${digest}</o:Password>`,
    `<o:Nonce EncodingType="${base64Type}">${nonce.toString('base64')}</o:Nonce>`,
    `<u:Created>${created}</u:Created></o:UsernameToken></o:Security>`,
  ].join('');
}
