import { computed, signal } from '@preact/signals';
import { cameras } from './store.js';

/** Names of the cameras that are selected in the table; those that are gone do not count. */
const chosen = signal<ReadonlySet<string>>(new Set());

export const selected = computed<ReadonlySet<string>>(
  () => new Set([...chosen.value].filter((name) => cameras.value.has(name))),
);

export function setSelected(names: Iterable<string>): void {
  chosen.value = new Set(names);
}

export function toggle(name: string): void {
  const next = new Set(selected.peek());
  if (!next.delete(name)) next.add(name);
  chosen.value = next;
}
