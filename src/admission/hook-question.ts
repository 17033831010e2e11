/** How a back end is asked: form fields as by nginx-rtmp, or JSON, in which nothing can be taken for another thing. */
export type HookFormat = 'form' | 'json';

/** What is known of a peer. Of ours: the camera's name, the address and the number of its connection; the rest is its word. */
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

/** A question as it is sent. */
export interface HookQuestion {
  readonly contentType: string;
  readonly body: string;
  /** Arguments of the peer that were left out. */
  readonly dropped: number;
}

/** The fields of nginx-rtmp's on_publish and on_play. */
const ownNames = ['app', 'flashver', 'swfurl', 'tcurl', 'pageurl', 'addr', 'clientid', 'call', 'name', 'type'];
/** Names at which objects of JavaScript have something else than what was put there. */
const prototypeNames = ['__proto__', 'constructor', 'prototype'];

/** Back ends read a thousand fields (PHP) or all; a stream name has no room for many anyway. */
const maxArguments = 64;
const maxNameLength = 64;
const maxValueLength = 4096;

/**
 * The question about a peer. Its arguments come behind the fields, and nothing of them can stand in place of a field:
 * - PHP turns a space, a dot and an open bracket of a name into `_`, cuts at NUL, leaves out spaces in front, and makes
 *   lists of `name[]`; others read `;` as `&`. So a name has letters, digits, `_` and `-` only;
 * - some readers know no case, some take the first of two equal names and others the last: the first alone is passed on;
 * - names of the URL of the hook itself are taken too: PHP's `$_REQUEST` puts the form over the query.
 * @param url the back end's
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

/** A name in the operator's own URL as PHP has it, lower case: `a.b[c]` is `a_b`. */
function asPhpReads(name: string): string {
  const plain = name.replace(/^[ ]+/, '').split('\0', 1)[0] ?? '';
  return (plain.startsWith('[') ? `_${plain.slice(1)}` : (plain.split('[', 1)[0] ?? ''))
    .replace(/[ .]/g, '_')
    .toLowerCase();
}

/** The peer's arguments stand in an object of their own, under whatever names they have. */
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
