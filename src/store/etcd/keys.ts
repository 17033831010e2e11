import type { Section } from '../../model/document/entry.js';

/** Where things stand in etcd, below the prefix of the cluster. */
export class ClusterKeys {
  /** Ends with "/". */
  readonly prefix: string;
  /** Written with every change of the state by a node, so that all changes have one order. */
  readonly head: string;
  /** Written by a person's command: the state of a replaced etcd is the right one. */
  readonly accepted: string;

  /** @param prefix with or without "/" at its end */
  constructor(prefix: string) {
    this.prefix = prefix.endsWith('/') ? prefix : `${prefix}/`;
    this.head = `${this.prefix}state/head`;
    this.accepted = `${this.prefix}accepted`;
  }

  /** What begins every key of the state. */
  get state(): string {
    return `${this.prefix}state/`;
  }

  entry(section: Section, name: string): string {
    return `${this.state}${section}/${name}`;
  }

  /** Which entry a key is of; undefined for a key that is of none. The name may break the rules of names. */
  entryOf(key: string): { readonly section: Section; readonly name: string } | undefined {
    if (!key.startsWith(this.state)) return undefined;
    const rest = key.slice(this.state.length);
    const slash = rest.indexOf('/');
    const [section, name] = [rest.slice(0, slash), rest.slice(slash + 1)];
    return section === 'cameras' || section === 'engines' ? { section, name } : undefined;
  }
}
