import type { Compare, RequestOp } from '../../etcd/protocol.js';
import { differingIn } from '../../model/changes.js';
import { encodeCameraEntry, encodeEngineEntry, type Section } from '../../model/document/entry.js';
import type { DesiredState } from '../../model/model.js';
import { sealEntry } from '../sealing.js';
import type { ClusterEntries, EntryEvent } from './entries.js';
import type { ClusterKeys } from './keys.js';

/** etcd takes 128 operations in one transaction by default; one is for the head. */
const maxOperations = 120;
/** And 1.5 MiB in one request. */
const maxBytes = 1024 * 1024;

/** Some changes of entries that go in one transaction. `revision` of its entries is not known yet, and 0. */
export interface Step {
  readonly entries: readonly Omit<EntryEvent, 'revision'>[];
}

/** True when the entries of a step are the same in both states. */
export function isUntouched({ entries }: Step, now: DesiredState, before: DesiredState): boolean {
  return entries.every(({ section, name }) =>
    section === 'cameras'
      ? now.cameras.get(name) === before.cameras.get(name)
      : now.engines.get(name) === before.engines.get(name),
  );
}

/**
 * The changes from one state to another, in as few transactions as etcd allows: usually one. If there are several, the
 * state is valid after each.
 */
export function stepsBetween(before: DesiredState, after: DesiredState, entries: ClusterEntries): Step[] {
  const differing = differingIn(before, after);
  const cameras = [...differing.cameras].sort();
  const engines = [...differing.engines].sort();
  const textOf = (section: Section, name: string): string | undefined => {
    const taken = entries.takenOf(section, name);
    const value =
      section === 'cameras'
        ? encoded(after.cameras.get(name), taken, encodeCameraEntry)
        : encoded(after.engines.get(name), taken, encodeEngineEntry);
    return value === undefined ? undefined : JSON.stringify(sealEntry(section, name, value, entries.sealing));
  };
  // Engines come before the cameras whose pushes name them, and go after them.
  const ordered: Omit<EntryEvent, 'revision'>[] = [
    ...engines.filter((name) => after.engines.has(name)).map((name) => ({ section: 'engines' as const, name })),
    ...cameras.map((name) => ({ section: 'cameras' as const, name })),
    ...engines.filter((name) => !after.engines.has(name)).map((name) => ({ section: 'engines' as const, name })),
  ].map(({ section, name }) => ({ section, name, text: textOf(section, name) }));

  const steps: Step[] = [];
  let current: Omit<EntryEvent, 'revision'>[] = [];
  let bytes = 0;
  for (const entry of ordered) {
    const size = Buffer.byteLength(entry.text ?? '') + entry.name.length + 64;
    if (current.length > 0 && (current.length >= maxOperations || bytes + size > maxBytes)) {
      steps.push({ entries: current });
      current = [];
      bytes = 0;
    }
    current.push(entry);
    bytes += size;
  }
  if (current.length > 0) steps.push({ entries: current });
  return steps;
}

function encoded<T>(value: T | undefined, taken: unknown, encode: (value: T, taken: unknown) => unknown): unknown {
  return value === undefined ? undefined : encode(value, taken);
}

/** The condition: nobody changed the state since, nor (by hand) one of these entries. */
export function comparing(step: Step, head: number, entries: ClusterEntries, keys: ClusterKeys): Compare[] {
  const isAt = (key: string, modRevision: number): Compare => ({
    result: 'EQUAL',
    target: 'MOD',
    key: Buffer.from(key),
    modRevision,
  });
  return [
    isAt(keys.head, head),
    ...step.entries.map(({ section, name }) => isAt(keys.entry(section, name), entries.revisionOf(section, name))),
  ];
}

/** The writes: the head, by which this transaction is recognized later, and the entries. */
export function writing(step: Step, head: string, keys: ClusterKeys): RequestOp[] {
  return [
    { requestPut: { key: Buffer.from(keys.head), value: Buffer.from(head) } },
    ...step.entries.map(({ section, name, text }): RequestOp => {
      const key = Buffer.from(keys.entry(section, name));
      return text === undefined ? { requestDeleteRange: { key } } : { requestPut: { key, value: Buffer.from(text) } };
    }),
  ];
}
