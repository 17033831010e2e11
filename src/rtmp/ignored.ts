/** Kinds of messages that cannot be used, and do not end the connection. */
export const ignoredKinds = {
  media: 'audio, video or data of a stream that does not publish',
  unreadable: 'audio, video or data that no strict reader takes',
  command: 'a command that cannot be read to its end',
  order: 'a command that cannot be followed here',
  control: 'a control message that says nothing',
  large: 'a message that is larger than what is said there',
  aggregate: 'a part of an aggregate',
  unknown: 'a message of a type that is not for a server',
} as const;

export type IgnoredKind = keyof typeof ignoredKinds;

/** Called for each ignored message. @param detail what is wrong with it, in words without secrets */
export type OnIgnored = (kind: IgnoredKind, detail: string) => void;

/** Counts the ignored messages of a peer, by kind. It is cheap, since a peer may send nothing else. */
export class IgnoredMessages {
  /** Null: there was none. */
  #counts: Map<IgnoredKind, number> | null = null;
  #total = 0;

  get total(): number {
    return this.#total;
  }

  /** True the first time for this kind; it is then logged. */
  note(kind: IgnoredKind): boolean {
    this.#total++;
    this.#counts ??= new Map();
    const count = this.#counts.get(kind) ?? 0;
    this.#counts.set(kind, count + 1);
    return count === 0;
  }

  /** `812 x audio, video or data of a stream that does not publish, 1 x ...`; empty when there is nothing. */
  describe(): string {
    return [...(this.#counts ?? [])].map(([kind, count]) => `${count} x ${ignoredKinds[kind]}`).join(', ');
  }
}
