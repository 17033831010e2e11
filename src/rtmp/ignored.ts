/** What a peer may send that cannot be used, and that ends nothing. */
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

/** Hears of what is ignored. @param detail what was wrong with this one, in words; nothing of it is secret */
export type OnIgnored = (kind: IgnoredKind, detail: string) => void;

/** Counts what a peer sent in vain, by kind: cheap, since a peer may send nothing else. */
export class IgnoredMessages {
  readonly #counts = new Map<IgnoredKind, number>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  /** True the first time for this kind: then it is worth a word. */
  note(kind: IgnoredKind): boolean {
    this.#total++;
    const count = this.#counts.get(kind) ?? 0;
    this.#counts.set(kind, count + 1);
    return count === 0;
  }

  /** `812 x audio, video or data of a stream that does not publish, 1 x ...`; empty when there is nothing. */
  describe(): string {
    return [...this.#counts].map(([kind, count]) => `${count} x ${ignoredKinds[kind]}`).join(', ');
  }
}
