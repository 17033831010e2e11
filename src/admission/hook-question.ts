/** The body of a call: form fields as in nginx-rtmp, or JSON, which keeps the peer's arguments apart from our fields. */
export type HookFormat = 'form' | 'json';

/**
 * The facts about a peer. This program knows the name of the camera, the address and the connection id. The rest is what
 * the peer says, and may be false.
 */
export interface HookFacts {
  readonly call: 'publish' | 'play';
  readonly camera: string;
  readonly address: string;
  readonly connectionId: number;
  readonly flashVer: string;
  readonly swfUrl: string;
  readonly tcUrl: string;
  readonly pageUrl: string;
  /** The query of the stream name, without `?`. */
  readonly query: string;
}

/** The body of a call to an auth hook. */
export interface HookQuestion {
  readonly contentType: string;
  readonly body: string;
  /** Number of the peer's arguments that were left out. */
  readonly dropped: number;
}

/** The fields of nginx-rtmp's on_publish and on_play. */
const ownNames = ['app', 'flashver', 'swfurl', 'tcurl', 'pageurl', 'addr', 'clientid', 'call', 'name', 'type'];
/** Names that have a meaning of their own in JavaScript objects. */
const prototypeNames = ['__proto__', 'constructor', 'prototype'];

/** PHP reads at most a thousand fields. A stream name cannot hold many anyway. */
const maxArguments = 64;
const maxNameLength = 64;
const maxValueLength = 4096;

/**
 * Makes the call about a peer. The peer's arguments follow the fields, and must not replace any of them:
 * - PHP turns a space, a dot and an open bracket in a name into `_`, cuts at NUL, drops leading spaces, and makes lists of
 *   `name[]`; others read `;` as `&`. Therefore a name may contain letters, digits, `_` and `-` only.
 * - Some readers ignore case; of two equal names, some take the first and some the last. Only the first one is passed on.
 * - The names in the query of the hook's own URL are reserved too, because the form overrides them in PHP's `$_REQUEST`.
 * @param url the URL of the auth hook
 */
export function hookQuestion(facts: HookFacts, format: HookFormat, url: URL): HookQuestion {
  return format === 'json' ? jsonQuestion(facts) : formQuestion(facts, url);
}

function formQuestion(facts: HookFacts, url: URL): HookQuestion {
  const fields: [string, string][] = [
    ['app', facts.camera],
    ['flashver', facts.flashVer],
    ['swfurl', facts.swfUrl],
    ['tcurl', facts.tcUrl],
    ['pageurl', facts.pageUrl],
    ['addr', facts.address],
    ['clientid', String(facts.connectionId)],
    ['call', facts.call],
    ['name', facts.camera],
    ...(facts.call === 'publish' ? ([['type', 'live']] as [string, string][]) : []),
  ];
  const form = new URLSearchParams(fields);
  const taken = new Set([...ownNames, ...prototypeNames, ...[...url.searchParams.keys()].map(asPhpReads)]);
  let dropped = 0;
  let count = 0;
  for (const [name, value] of new URLSearchParams(facts.query)) {
    const key = name.toLowerCase();
    const isName = /^[A-Za-z0-9_-]+$/.test(name) && name.length <= maxNameLength;
    if (!isName || taken.has(key) || value.length > maxValueLength || count >= maxArguments) {
      dropped += 1;
      continue;
    }
    taken.add(key);
    count += 1;
    form.append(name, value);
  }
  return { contentType: 'application/x-www-form-urlencoded', body: form.toString(), dropped };
}

/** A name in the operator's own URL as PHP reads it, in lower case: `a.b[c]` becomes `a_b`. */
function asPhpReads(name: string): string {
  const plain = name.replace(/^[ ]+/, '').split('\0', 1)[0] ?? '';
  return (plain.startsWith('[') ? `_${plain.slice(1)}` : (plain.split('[', 1)[0] ?? ''))
    .replace(/[ .]/g, '_')
    .toLowerCase();
}

/** The peer's arguments are in an object of their own, under any name. */
function jsonQuestion(facts: HookFacts): HookQuestion {
  const query: Record<string, string> = Object.create(null) as Record<string, string>;
  let dropped = 0;
  let count = 0;
  for (const [name, value] of new URLSearchParams(facts.query)) {
    const isFit = name.length <= maxNameLength && value.length <= maxValueLength && count < maxArguments;
    if (!isFit || prototypeNames.includes(name) || name in query) {
      dropped += 1;
      continue;
    }
    count += 1;
    query[name] = value;
  }
  const body = JSON.stringify({
    call: facts.call,
    camera: facts.camera,
    address: facts.address,
    connectionId: facts.connectionId,
    connect: { flashVer: facts.flashVer, swfUrl: facts.swfUrl, tcUrl: facts.tcUrl, pageUrl: facts.pageUrl },
    query,
    dropped,
  });
  return { contentType: 'application/json', body, dropped };
}
