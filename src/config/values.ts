import { isIP } from 'node:net';
import { isHost } from '../address/host.js';

/**
 * How one kind of value is written and read. `parse` takes what a flag, a variable (text) or the YAML file (any value)
 * holds and throws a ValueProblem that completes the sentence "KEY ... VALUE ...".
 */
export interface ValueType<T> {
  /** What stands in help after the flag: `<port>`, `<duration>` ... */
  readonly placeholder: string;
  /** The rule in words, range included. */
  readonly rule: string;
  parse(raw: unknown): T;
  /** The value as a user would write it. */
  format(value: T): string;
}

/** Says what is wrong with a value, and what would be right; the caller adds the key and where it was written. */
export class ValueProblem extends Error {}

interface Range {
  readonly min: number;
  readonly max: number;
}

/** A value as it may be shown in a message: short, and without control characters. */
export function show(raw: unknown): string {
  const text = typeof raw === 'string' ? raw : (JSON.stringify(raw) ?? String(raw));
  const printable = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
  const short = printable.length > 80 ? `${printable.slice(0, 79)}…` : printable;
  return typeof raw === 'string' ? `"${short}"` : short;
}

function inRange(value: number, raw: unknown, range: Range, format: (value: number) => string): number {
  if (value < range.min || value > range.max) {
    throw new ValueProblem(`is ${show(raw)}, outside of ${format(range.min)} to ${format(range.max)}`);
  }
  return value;
}

/** A whole number. */
export function integerType(min: number, max: number, placeholder = '<number>'): ValueType<number> {
  const rule = `a whole number from ${min} to ${max}`;
  return {
    placeholder,
    rule,
    format: String,
    parse(raw) {
      const value = typeof raw === 'string' && /^-?\d{1,15}$/.test(raw.trim()) ? Number(raw) : raw;
      if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
        throw new ValueProblem(`is ${show(raw)}, but must be ${rule}`);
      }
      return inRange(value, raw, { min, max }, String);
    },
  };
}

/** A port; 0 takes any free one. */
export function portType(): ValueType<number> {
  return integerType(0, 65_535, '<port>');
}

const durationUnitsMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/** `250ms`, `3s`, `2m`: the largest unit that needs no fraction. */
export function formatDuration(valueMs: number): string {
  const unit =
    (['h', 'm', 's'] as const).find((name) => valueMs !== 0 && valueMs % durationUnitsMs[name] === 0) ?? 'ms';
  return `${valueMs / durationUnitsMs[unit]}${unit}`;
}

/** A duration with its unit; the value is in milliseconds. A bare number says too little and is refused. */
export function durationType(min: string, max: string): ValueType<number> {
  const range = { min: parseDuration(min) ?? Number.NaN, max: parseDuration(max) ?? Number.NaN };
  const rule = `a duration with its unit (ms, s, m, h) from ${min} to ${max}`;
  return {
    placeholder: '<duration>',
    rule,
    format: formatDuration,
    parse(raw) {
      const bare = typeof raw === 'number' || (typeof raw === 'string' && /^\s*\d+(\.\d+)?\s*$/.test(raw));
      if (bare) {
        const number = String(raw).trim();
        throw new ValueProblem(`is ${number} without a unit; write for example ${number}ms or ${number}s`);
      }
      const valueMs = typeof raw === 'string' ? parseDuration(raw) : undefined;
      if (valueMs === undefined) {
        throw new ValueProblem(`is ${show(raw)}, but must be ${rule}`);
      }
      return inRange(valueMs, raw, range, formatDuration);
    },
  };
}

function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,9}(?:\.\d{1,6})?)\s?(ms|s|m|h)$/i.exec(text.trim());
  const unit = match?.[2]?.toLowerCase();
  if (match === null || (unit !== 'ms' && unit !== 's' && unit !== 'm' && unit !== 'h')) {
    return undefined;
  }
  return Math.round(Number(match[1]) * durationUnitsMs[unit]);
}

export const KB = 1 << 10;
export const MB = 1 << 20;

const sizeUnitsBytes: Readonly<Record<string, number>> = { '': 1, b: 1, kb: 1 << 10, mb: 1 << 20, gb: 1 << 30 };

/** `512KB`, `8MB`, or bytes where no unit fits. */
export function formatSize(bytes: number): string {
  const unit = (['gb', 'mb', 'kb'] as const).find((name) => bytes !== 0 && bytes % sizeUnitsBytes[name]! === 0);
  return unit === undefined ? String(bytes) : `${bytes / sizeUnitsBytes[unit]!}${unit.toUpperCase()}`;
}

/** A size in bytes: `512KB`, `8MB` (1 KB = 1024 bytes) or a plain number of bytes. */
export function sizeType(min: string, max: string): ValueType<number> {
  const range = { min: parseSize(min) ?? Number.NaN, max: parseSize(max) ?? Number.NaN };
  const rule = `a size (bytes, or with KB, MB, GB) from ${min} to ${max}`;
  return {
    placeholder: '<size>',
    rule,
    format: formatSize,
    parse(raw) {
      const bytes = parseSize(typeof raw === 'number' ? String(raw) : raw);
      if (bytes === undefined) {
        throw new ValueProblem(`is ${show(raw)}, but must be ${rule}`);
      }
      return inRange(bytes, raw, range, formatSize);
    },
  };
}

function parseSize(raw: unknown): number | undefined {
  const match = typeof raw === 'string' ? /^(\d{1,15}(?:\.\d{1,6})?)\s?(|b|[kmg]i?b)$/i.exec(raw.trim()) : null;
  const unit = match === null ? undefined : sizeUnitsBytes[match[2]!.toLowerCase().replace('i', '')];
  const bytes = unit === undefined ? Number.NaN : Number(match?.[1]) * unit;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** One of a few words. */
export function choiceType<T extends string>(...choices: readonly T[]): ValueType<T> {
  const rule = choices.length === 1 ? `${choices[0]}` : `one of ${choices.join(', ')}`;
  return {
    placeholder: `<${choices.join('|')}>`,
    rule,
    format: (value) => value,
    parse(raw) {
      const found = choices.find((choice) => choice === raw);
      if (found === undefined) {
        throw new ValueProblem(`is ${show(raw)}, but must be ${rule}`);
      }
      return found;
    },
  };
}

/** Yes or no. The flag alone, without a value, is yes. */
export function booleanType(): ValueType<boolean> {
  const rule = 'true or false';
  return {
    placeholder: '[true|false]',
    rule,
    format: String,
    parse(raw) {
      if (raw === true || raw === 'true') return true;
      if (raw === false || raw === 'false') return false;
      throw new ValueProblem(`is ${show(raw)}, but must be ${rule}`);
    },
  };
}

/** A line of text, trimmed. */
export function textType(maxLength: number, placeholder = '<text>'): ValueType<string> {
  const rule = `1 to ${maxLength} printable characters`;
  return {
    placeholder,
    rule,
    format: (value) => value,
    parse(raw) {
      if (typeof raw === 'number' || typeof raw === 'boolean') {
        throw new ValueProblem(`is ${show(raw)}, which YAML does not read as text; put it in quotes`);
      }
      const text = typeof raw === 'string' ? raw.trim() : '';
      if (text === '' || text.length > maxLength || /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text)) {
        throw new ValueProblem(`is ${show(raw)}, but must be ${rule}`);
      }
      return text;
    },
  };
}

const hostNamePattern = /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*\.?$/;

/** A host name or an IP address; brackets around IPv6 are taken off. */
export function hostType(): ValueType<string> {
  const rule = 'a host name or an IP address, without a port';
  return {
    placeholder: '<host>',
    rule,
    format: (value) => value,
    parse(raw) {
      const text = typeof raw === 'string' ? raw.trim() : '';
      const host = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
      // Four numbers with dots that are no IPv4 address are a slip, not a host name.
      const looksLikeAddress = /^[\d.]+$/.test(host);
      if (isIP(host) === 0 && (looksLikeAddress || !hostNamePattern.test(host))) {
        throw new ValueProblem(`is ${show(raw)}, but must be ${rule}`);
      }
      return host;
    },
  };
}

/**
 * The URL of a server that speaks HTTP, or its host with or without a port. User info is refused, because settings are
 * shown; a query and a fragment too, because a path is put behind it.
 * @param defaultPort of a bare host; a URL without a port has that of its scheme
 */
export function httpUrlType(defaultPort: number): ValueType<string> {
  const rule = 'a URL like http://HOST:PORT, or a host';
  return {
    placeholder: '<url>',
    rule,
    format: (value) => value,
    parse(raw) {
      const text = typeof raw === 'string' ? raw.trim() : '';
      const full = /^https?:\/\//i.test(text) ? text : urlOfHost(text, defaultPort);
      if (full === undefined || full.length > 1024 || /[\s?#]/.test(full) || !URL.canParse(full)) {
        throw new ValueProblem(`is ${show(raw)}, but must be ${rule}`);
      }
      const url = new URL(full);
      if (url.username !== '' || url.password !== '') {
        throw new ValueProblem('has a user name or password, which nobody asks for; leave it out');
      }
      return url.origin + url.pathname.replace(/\/+$/, '');
    },
  };
}

/** The URL of `host`, `host:port`, `[IPv6]:port` or a bare IPv6 address; undefined for anything else. */
function urlOfHost(text: string, defaultPort: number): string | undefined {
  if (isIP(text) === 6) return `http://[${text}]:${defaultPort}`;
  const [, host = '', port = `:${defaultPort}`] = /^(\[[^\]]*\]|[^:]*)(:\d{1,5})?$/.exec(text) ?? [];
  const isAddress = host.startsWith('[') && isIP(host.slice(1, -1)) === 6;
  return isAddress || hostNamePattern.test(host) ? `http://${host}${port}` : undefined;
}

/** Members of one etcd: `etcd://HOST:PORT,HOST:PORT`; without ports, 2379. The value is written in full. */
export function endpointsType(): ValueType<string> {
  const rule = 'etcd://HOST:PORT,HOST:PORT, or etcds:// for TLS; a port is 2379 if left out';
  return {
    placeholder: '<url>',
    rule,
    format: (value) => value,
    parse(raw) {
      const text = typeof raw === 'string' ? raw.trim() : '';
      const [, scheme = '', list = ''] = /^(etcds?):\/\/([^/\s?#@]+)\/?$/i.exec(text) ?? [];
      const hosts = list.split(',').map((host) => urlOfHost(host.trim(), 2379));
      const isValid = list !== '' && hosts.length <= 16 && hosts.every((url) => url !== undefined && URL.canParse(url));
      if (!isValid) throw new ValueProblem(`is ${show(raw)}, but must be ${rule}`);
      const full = hosts.map((url) => String(url).slice('http://'.length));
      return `${scheme.toLowerCase()}://${full.join(',')}`;
    },
  };
}

const listMaxEntries = 100;

/** Entries of a list: a YAML list, or one text with commas or spaces between them. */
function listType<T extends string>(
  placeholder: string,
  rule: string,
  parseEntry: (text: string) => T | undefined,
): ValueType<readonly T[]> {
  return {
    placeholder,
    rule,
    format: (values) => values.join(','),
    parse(raw) {
      const entries: unknown[] =
        typeof raw === 'string' ? raw.split(/[\s,]+/).filter((text) => text !== '') : [raw].flat();
      if (entries.length === 0 || entries.length > listMaxEntries) {
        throw new ValueProblem(`is ${show(raw)}, but must be ${rule}`);
      }
      return entries.map((entry) => {
        const value = typeof entry === 'string' ? parseEntry(entry) : undefined;
        if (value === undefined) throw new ValueProblem(`has ${show(entry)}, but must be ${rule}`);
        return value;
      });
    },
  };
}

/** IP networks: `192.0.2.0/24`, `2001:db8::/32`, or single addresses. */
export function networkListType(): ValueType<readonly string[]> {
  return listType('<networks>', 'IP addresses and networks (10.0.0.0/8, fd00::/8), with commas between', (text) => {
    const [address = '', bits, ...rest] = text.split('/');
    const version = isIP(address);
    const fits = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 6 ? 128 : 32));
    return version !== 0 && !address.includes('%') && fits && rest.length === 0 ? text.toLowerCase() : undefined;
  });
}

/** Host names, lower case. */
export function nameListType(): ValueType<readonly string[]> {
  return listType('<names>', 'host names like media.example.org, with commas between', (text) =>
    isHost(text) && isIP(text) === 0 ? text.toLowerCase() : undefined,
  );
}

/** Origins of web pages, as browsers write them: `https://dashboard.example.org`. */
export function originListType(): ValueType<readonly string[]> {
  return listType('<origins>', 'origins like https://HOST[:PORT], with commas between', (text) => {
    if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return undefined;
    const { origin } = new URL(text);
    return origin === text.toLowerCase().replace(/\/$/, '') ? origin : undefined;
  });
}

/** URLs of servers that speak HTTP. What a setting holds is shown, so that user info, queries and fragments are refused. */
export function urlListType(): ValueType<readonly string[]> {
  return listType('<urls>', 'URLs like https://HOST/PATH, without user name or query, with commas between', (text) => {
    if (!/^https?:\/\//i.test(text) || text.length > 1024 || /[?#]/.test(text) || !URL.canParse(text)) return undefined;
    const url = new URL(text);
    return url.username === '' && url.password === '' ? url.href : undefined;
  });
}

/** Some of these words. */
export function wordListType(words: readonly string[]): ValueType<readonly string[]> {
  return listType('<list>', `some of ${words.join(', ')}, with commas between`, (text) =>
    words.includes(text) ? text : undefined,
  );
}
