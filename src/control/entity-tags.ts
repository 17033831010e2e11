import { createHmac, randomBytes } from 'node:crypto';
import { ConflictError } from '../errors.js';

/** The precondition of a request: `If-Match` and `If-None-Match` (RFC 9110 section 13.1). */
export interface Precondition {
  /** Entity tags with commas between, or `*`: any that exists. */
  readonly ifMatch?: string | undefined;
  /** `*`: only when it does not exist. */
  readonly ifNoneMatch?: string | undefined;
}

/**
 * Entity tags of declared things: they stay equal as long as the declaration does, whatever is observed. The digest is
 * keyed, so that a tag reveals nothing about masked secrets in a URL.
 */
export class EntityTags {
  readonly #key: Buffer;
  /** Declared things are never mutated, and each stands for itself. */
  readonly #tags = new WeakMap<object, string>();
  readonly #declared = new WeakMap<object, object>();

  /** @param key the same on all nodes of one state and after a restart, if tags are to be */
  constructor(key: Buffer = randomBytes(32)) {
    this.#key = key;
  }

  /** Of a camera, push or engine of the state: `"0123456789abcdef"`, with its quotes. */
  of(declared: object): string {
    let tag = this.#tags.get(declared);
    if (tag === undefined) {
      const digest = createHmac('sha256', this.#key)
        .update(JSON.stringify(sorted(declared)))
        .digest('hex');
      tag = `"${digest.slice(0, 20)}"`;
      this.#tags.set(declared, tag);
    }
    return tag;
  }

  /** Remembers what a view is the view of. */
  note<V extends object>(view: V, declared: object): V {
    this.#declared.set(view, declared);
    return view;
  }

  /** Has a view stand for the same as another one. */
  as<V extends object>(view: V, other: object): V {
    const declared = this.#declared.get(other);
    return declared === undefined ? view : this.note(view, declared);
  }

  /** The tag of what this is the view of; undefined for anything else. */
  ofView(view: object): string | undefined {
    const declared = this.#declared.get(view);
    return declared === undefined ? undefined : this.of(declared);
  }

  /** @param current what would be changed; undefined: it does not exist. @throws ConflictError PRECONDITION_FAILED */
  check(current: object | undefined, { ifMatch, ifNoneMatch }: Precondition = {}): void {
    if (ifNoneMatch !== undefined && current !== undefined && this.#matches(ifNoneMatch, current)) {
      throw new ConflictError('PRECONDITION_FAILED', 'if-none-match: it exists, and must not; nothing was changed');
    }
    if (ifMatch === undefined || (current !== undefined && this.#matches(ifMatch, current))) return;
    const state = current === undefined ? 'it does not exist' : `it is ${this.of(current)} by now`;
    throw new ConflictError('PRECONDITION_FAILED', `if-match: ${state}; get it again, nothing was changed`);
  }

  #matches(header: string, current: object): boolean {
    if (header.trim() === '*') return true;
    // Proxies that compress answers make tags weak ("W/"); weak and strong tags are compared alike.
    const tags = header.split(',').map((text) => text.trim().replace(/^W\//, ''));
    return tags.includes(this.of(current));
  }
}

/** The same with the keys of all objects in order: a state that was read anew from its file has the same tags. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
  return entries.sort(([left], [right]) => (left < right ? -1 : 1)).map(([key, entry]) => [key, sorted(entry)]);
}
