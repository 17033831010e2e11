import { isUtf8 } from 'node:buffer';
import { isDeepStrictEqual } from 'node:util';
import { quoted } from '../../address/host.js';
import { messageOf } from '../../errors.js';
import { parseJson } from '../../json/strict-json.js';
import { differingIn } from '../../model/changes.js';
import { DocumentError } from '../../model/document/document-error.js';
import { decodeCameraEntry, decodeEngineEntry, type Section } from '../../model/document/entry.js';
import { type Camera, type DesiredState, emptyState, type StreamingEngine } from '../../model/model.js';
import { withEntry, withoutEntry } from '../../model/persistent-map.js';
import { isStaleEntry, openEntry, type Sealing, sealEntry, unsealed } from '../sealing.js';
import type { StateChange } from '../store.js';

/** A new version of one entry in the store, written by a node or by hand. */
export interface EntryEvent {
  readonly section: Section;
  readonly name: string;
  /** JSON; undefined: it was removed. */
  readonly text: string | undefined;
  /** The revision at which it became so. */
  readonly revision: number;
}

/** What stands for the text of a value that is none: no JSON begins like it. */
const notUtf8 = '\uFFFD';

/** The text of a value in the store, whatever its bytes are. */
export function entryText(value: Buffer): string {
  return isUtf8(value) ? value.toString() : notUtf8;
}

/** A refused value and the reason. */
export interface RefusedEntry {
  readonly section: Section;
  readonly name: string;
  readonly reason: string;
  /** ISO 8601, UTC. */
  readonly since: string;
}

/** What is known of a key of the store. */
interface KnownEntry {
  readonly revision: number;
  /** As it stands there; undefined: removed. */
  readonly text: string | undefined;
  /** The last value that was taken. */
  readonly taken: string | undefined;
}

/** The maximum number of refused values that are remembered with their reason. */
const maxRefused = 1000;

/**
 * The state of the cluster, built from its entries as they arrive. A value that breaks a rule is refused, and the last
 * good one stays in force until a valid one arrives. An engine that was removed while pushes go to it stays too.
 */
export class ClusterEntries {
  readonly #known = new Map<string, KnownEntry>();
  readonly #refused = new Map<string, RefusedEntry>();
  readonly #sealing: Sealing;
  /**
   * Of the refused ones, those that are looked at again in vain, so that each other change does not take the time for all of them: by
   * key, the engines that a camera was refused with; undefined: it is no JSON.
   */
  readonly #inVain = new Map<string, DesiredState['engines'] | undefined>();
  #state: DesiredState = emptyState;

  constructor(sealing: Sealing = unsealed) {
    this.#sealing = sealing;
  }

  /** How the URLs of entries are sealed. */
  get sealing(): Sealing {
    return this.#sealing;
  }

  get state(): DesiredState {
    return this.#state;
  }

  get refused(): readonly RefusedEntry[] {
    return [...this.#refused.values()];
  }

  /**
   * A changed entry of which the store has a value that was refused here, with the reason: writing it would lose that value. An
   * entry that is removed is none: that is meant.
   */
  refusedAmong(before: DesiredState, after: DesiredState): RefusedEntry | undefined {
    if (this.#refused.size === 0) return undefined;
    const { cameras, engines } = differingIn(before, after);
    const keys = [
      ...[...cameras].filter((name) => after.cameras.has(name)).map((name) => `cameras/${name}`),
      ...[...engines].filter((name) => after.engines.has(name)).map((name) => `engines/${name}`),
    ];
    for (const key of keys) {
      const refused = this.#refused.get(key);
      if (refused !== undefined && this.#known.get(key)?.text !== undefined) return refused;
    }
    return undefined;
  }

  /** The revision of a key; 0 for one that is not there. */
  revisionOf(section: Section, name: string): number {
    const known = this.#known.get(`${section}/${name}`);
    return known?.text === undefined ? 0 : known.revision;
  }

  /** An entry as it was last accepted, with fields that this version does not know. */
  takenOf(section: Section, name: string): unknown {
    const taken = this.#known.get(`${section}/${name}`)?.taken;
    return taken === undefined ? undefined : parseJson(taken);
  }

  /** The entries with URLs that are not sealed as they should be now, as they should stand. */
  *stale(): Generator<Omit<EntryEvent, 'revision'>> {
    for (const { section, name, text } of this.all()) {
      const value = this.#known.get(`${section}/${name}`)?.taken === text ? parseJson(text ?? '') : undefined;
      // What is refused is left to the person who wrote it.
      if (value === undefined || !isStaleEntry(section, name, value, this.#sealing)) continue;
      const opened = openEntry(section, name, value, this.#sealing);
      yield { section, name, text: JSON.stringify(sealEntry(section, name, opened, this.#sealing)) };
    }
  }

  /** All keys with their values and revisions, for a copy on disk. */
  *all(): Generator<EntryEvent> {
    for (const [key, { text, revision }] of this.#known) {
      if (text === undefined) continue;
      const slash = key.indexOf('/');
      yield { section: key.slice(0, slash) as Section, name: key.slice(slash + 1), text, revision };
    }
  }

  /**
   * Applies new versions of entries. Known events do nothing, so they may arrive twice.
   * @param onUnknown is told of fields that this version does not know
   */
  apply(events: readonly EntryEvent[], now: string, onUnknown: (path: string) => void = () => undefined): StateChange {
    const before = this.#state;
    const fresh = events.filter((event) => this.#isNews(event));
    const isGone = ({ text }: EntryEvent) => text === undefined;
    // In an order in which an engine exists before the pushes that name it, and is removed after them.
    for (const event of fresh) if (event.section === 'cameras' && isGone(event)) this.#take(event, now, onUnknown);
    for (const event of fresh) if (event.section === 'engines' && !isGone(event)) this.#take(event, now, onUnknown);
    for (const event of fresh) if (event.section === 'cameras' && !isGone(event)) this.#take(event, now, onUnknown);
    for (const event of fresh) if (event.section === 'engines' && isGone(event)) this.#take(event, now, onUnknown);
    if (fresh.length > 0 && this.#refused.size > 0) this.#takeRefused(now, onUnknown);
    const { cameras, engines } = differingIn(before, this.#state);
    return { state: this.#state, cameras, engines };
  }

  /**
   * As `apply`, for entries that were changed by hand: a change that breaks a rule is refused as a whole.
   * @param check throws a DocumentError for what may not become what
   */
  applyByHand(
    events: readonly EntryEvent[],
    now: string,
    check: (before: DesiredState, after: DesiredState) => void,
    onUnknown?: (path: string) => void,
  ): StateChange {
    const before = this.#state;
    const kept = new Map(
      [...events, ...this.#refused.values()].map(({ section, name }) => {
        const key = `${section}/${name}`;
        return [key, this.#known.get(key)] as const;
      }),
    );
    const refused = new Map(this.#refused);
    const change = this.apply(events, now, onUnknown);
    try {
      check(before, change.state);
      return change;
    } catch (error) {
      if (!(error instanceof DocumentError)) throw error;
      this.#state = before;
      this.#refused.clear();
      for (const [key, entry] of refused) this.#refused.set(key, entry);
      for (const [key, known] of kept) if (known !== undefined) this.#known.set(key, known);
      for (const event of events) this.#refuse(event, error.message, now);
      return { state: before, cameras: new Set(), engines: new Set() };
    }
  }

  /** As `apply`, for the complete set of entries: others are removed. */
  replaceAll(events: readonly EntryEvent[], revision: number, now: string): StateChange {
    const named = new Map(events.map((event) => [`${event.section}/${event.name}`, event]));
    const gone: EntryEvent[] = [];
    for (const [key, known] of this.#known) {
      const event = named.get(key);
      const isSame = event !== undefined && event.text === known.text && known.taken === known.text;
      // The known revisions may be those of another etcd.
      this.#known.set(key, { ...known, revision: isSame ? event.revision : -1 });
      const slash = key.indexOf('/');
      const [section, name] = [key.slice(0, slash) as Section, key.slice(slash + 1)];
      if (event === undefined) gone.push({ section, name, text: undefined, revision });
    }
    return this.apply([...events, ...gone], now);
  }

  #isNews({ section, name, revision }: EntryEvent): boolean {
    const known = this.#known.get(`${section}/${name}`);
    return known === undefined || known.revision < revision;
  }

  #take(event: EntryEvent, now: string, onUnknown: (path: string) => void): void {
    const { section, name, text, revision } = event;
    const key = `${section}/${name}`;
    let isJson = false;
    try {
      if (text === notUtf8) throw new DocumentError([section, name], 'is not UTF-8', 'INVALID_JSON');
      const parsed = text === undefined ? undefined : parseJson(text);
      isJson = true;
      const value = text === undefined ? undefined : openEntry(section, name, parsed, this.#sealing);
      const unknown: string[] = [];
      if (section === 'cameras') this.#takeCamera(name, value, now, unknown);
      else this.#takeEngine(name, value, now, unknown);
      for (const field of unknown) onUnknown(`${key}: ${field}`);
      this.#known.set(key, { revision, text, taken: text });
      this.#refused.delete(key);
      this.#inVain.delete(key);
    } catch (error) {
      const named =
        error instanceof DocumentError
          ? error
          : new DocumentError([section, name], messageOf(error), 'INVALID_REQUEST');
      this.#refuse(event, named.message, now);
      // What is in a camera's value is judged by the engines that there are, and by nothing else.
      const isOfEngines = section === 'cameras' && isJson;
      if (this.#refused.has(key) && (isOfEngines || !isJson))
        this.#inVain.set(key, isOfEngines ? this.#state.engines : undefined);
    }
  }

  #refuse({ section, name, text, revision }: EntryEvent, reason: string, now: string): void {
    const key = `${section}/${name}`;
    this.#known.set(key, { revision, text, taken: this.#known.get(key)?.taken });
    this.#inVain.delete(key);
    const since = this.#refused.get(key)?.since ?? now;
    if (this.#refused.has(key) || this.#refused.size < maxRefused)
      this.#refused.set(key, { section, name, reason, since });
  }

  /** A refused value may be valid by now, for example when the engine that a push names has arrived. */
  #takeRefused(now: string, onUnknown: (path: string) => void): void {
    for (const { section, name } of [...this.#refused.values()]) {
      const key = `${section}/${name}`;
      const engines = this.#inVain.get(key);
      if (this.#inVain.has(key) && (engines === undefined || engines === this.#state.engines)) continue;
      const known = this.#known.get(key);
      if (known !== undefined)
        this.#take({ section, name, text: known.text, revision: known.revision }, now, onUnknown);
    }
  }

  #takeCamera(name: string, value: unknown, now: string, unknown: string[]): void {
    const { cameras, engines } = this.#state;
    if (value === undefined) {
      this.#state = { ...this.#state, cameras: withoutEntry(cameras, name) };
      return;
    }
    const known = cameras.get(name);
    const camera: Camera = decodeCameraEntry(name, value, engines, known, now, unknown);
    if (known !== undefined && isDeepStrictEqual(known, camera)) return;
    this.#state = { ...this.#state, cameras: withEntry(cameras, name, camera) };
  }

  #takeEngine(name: string, value: unknown, now: string, unknown: string[]): void {
    const { engines } = this.#state;
    if (value === undefined) {
      const user = this.#userOf(name);
      if (user !== undefined) {
        const reason = `pushes go to it, one of them of camera ${quoted(user)}; it stays in force`;
        throw new DocumentError(['engines', name], reason, 'ENGINE_IN_USE');
      }
      this.#state = { ...this.#state, engines: withoutEntry(engines, name) };
      return;
    }
    const known = engines.get(name);
    const engine: StreamingEngine = decodeEngineEntry(name, value, known, now, unknown);
    if (known !== undefined && isDeepStrictEqual(known, engine)) return;
    this.#state = { ...this.#state, engines: withEntry(engines, name, engine) };
  }

  /** A camera with a push to this engine. */
  #userOf(engine: string): string | undefined {
    for (const camera of this.#state.cameras.values()) {
      for (const id in camera.pushes) if (camera.pushes[id]!.engine === engine) return camera.name;
    }
    return undefined;
  }
}
