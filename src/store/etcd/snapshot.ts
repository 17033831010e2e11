import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { messageOf } from '../../errors.js';
import { readRegular } from '../../files/read.js';
import { writeWholeFrom } from '../../files/write.js';
import type { Logger } from '../../log/log.js';
import { plural } from '../../plural.js';
import type { EntryEvent } from './entries.js';

/** The file in the data folder of a node. */
export const clusterStateFileName = 'cluster-state.jsonl';

const maxBytes = 256 * 1024 * 1024;
/** Text that is made in one turn of the event loop. */
const blockChars = 128 * 1024;

const HeadSchema = Type.Object({
  format: Type.Literal(1),
  clusterId: Type.String({ pattern: '^[0-9]{1,20}$' }),
  prefix: Type.String(),
  revision: Type.Integer({ minimum: 0 }),
  head: Type.Integer({ minimum: 0 }),
  savedAt: Type.String(),
  count: Type.Integer({ minimum: 0 }),
});
const EntrySchema = Type.Object({
  section: Type.Union([Type.Literal('cameras'), Type.Literal('engines')]),
  name: Type.String(),
  text: Type.String(),
  revision: Type.Integer({ minimum: 0 }),
});
const headValidator = Compile(HeadSchema);
const entryValidator = Compile(EntrySchema);

/** The last known state of the cluster. A node starts from it when etcd does not answer. */
export interface Snapshot {
  /** Decimal, as etcd gives it. */
  readonly clusterId: string;
  readonly prefix: string;
  /** Everything up to this revision is in it. */
  readonly revision: number;
  /** The revision of the last change by a node. */
  readonly head: number;
  /** ISO 8601, UTC: when etcd was last known to say so. */
  readonly savedAt: string;
  readonly entries: readonly EntryEvent[];
}

/** `DATA_DIR/cluster-state.jsonl`. Losing it loses nothing but the way to start without etcd. */
export class SnapshotFile {
  readonly path: string;
  readonly #log: Logger;
  #failure = '';

  constructor(dataDir: string, log: Logger) {
    this.path = join(dataDir, clusterStateFileName);
    this.#log = log;
  }

  /** Undefined when there is no usable one; the reason is logged. */
  async read(): Promise<Snapshot | undefined> {
    try {
      const found = await readRegular(this.path, maxBytes);
      return found === undefined ? undefined : parseSnapshot(found.bytes.toString());
    } catch (error) {
      this.#log.warn('the last known state of the cluster cannot be used; it is read from etcd', {
        file: this.path,
        error: messageOf(error),
      });
      return undefined;
    }
  }

  /** Never fails: an error of writing is logged once. */
  async write(snapshot: Snapshot): Promise<void> {
    try {
      await writeWholeFrom(this.path, blocksOf(snapshot));
      this.#failure = '';
    } catch (error) {
      const reason = messageOf(error);
      if (reason === this.#failure) return;
      this.#failure = reason;
      this.#log.warn('the state of the cluster cannot be stored on disk; a start without etcd would use an older one', {
        file: this.path,
        error: reason,
      });
    }
  }
}

/** How soon what changed is on disk, for a start without etcd. */
const keepAfterMs = 1000;

/** Keeps the file up to date, at most once a second. */
export class SnapshotKeeper {
  readonly #file: SnapshotFile;
  readonly #snapshot: () => Snapshot | undefined;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #isClosed = false;
  /** Something changed since the last writing began. */
  #isDirty = false;

  /** @param snapshot what is to be kept; undefined: not now, it is asked again */
  constructor(file: SnapshotFile, snapshot: () => Snapshot | undefined) {
    this.#file = file;
    this.#snapshot = snapshot;
  }

  /** Something changed. */
  soon(): void {
    this.#isDirty = true;
    if (this.#isClosed || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#isDirty = false;
      const snapshot = this.#snapshot();
      this.#writing = snapshot === undefined ? undefined : this.#file.write(snapshot);
      void Promise.resolve(this.#writing).then(() => {
        this.#timer = undefined;
        if (snapshot === undefined || this.#isDirty) this.soon();
      });
    }, keepAfterMs).unref();
  }

  /** Writes it for the last time. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#writing;
    const snapshot = this.#snapshot();
    if (snapshot !== undefined) await this.#file.write(snapshot);
  }
}

async function* blocksOf({ entries, ...head }: Snapshot): AsyncGenerator<Buffer, undefined> {
  let block = `${JSON.stringify({ format: 1, ...head, count: entries.length })}\n`;
  for (const { section, name, text, revision } of entries) {
    block += `${JSON.stringify({ section, name, text, revision })}\n`;
    if (block.length < blockChars) continue;
    yield Buffer.from(block);
    block = '';
    await nextTurn();
  }
  yield Buffer.from(block);
  return undefined;
}

/** @throws Error */
function parseSnapshot(text: string): Snapshot {
  const [first = '', ...lines] = text.split('\n');
  const head: unknown = JSON.parse(first);
  if (!headValidator.Check(head)) throw new Error('its first line has not the fields that it must have');
  const entries = lines
    .filter((line) => line !== '')
    .map((line): EntryEvent => {
      const entry: unknown = JSON.parse(line);
      if (!entryValidator.Check(entry))
        throw new Error(`a line has not the fields that it must have: ${line.slice(0, 80)}`);
      return entry;
    });
  if (entries.length !== head.count)
    throw new Error(`it has ${entries.length} of ${plural(head.count, 'entry', 'entries')}`);
  return { ...head, entries };
}
