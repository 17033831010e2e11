import { CodedError } from '../errors.js';
import type { Logger } from '../log/log.js';
import type { Beginning } from './beginning.js';
import { type IgnoredKind, IgnoredMessages, ignoredKinds } from './ignored.js';

/** Number of publishes and plays that the last line names. */
const maxNoted = 4;

/** Maximum number of commands of one connection that are logged at level debug; ten times what an encoder sends. */
const maxLoggedCommands = 100;

/** What the log says of one incoming connection, up to the one line about its end. */
export class ConnectionRecord {
  readonly #log: Logger;
  /** When it was accepted, by a monotonic clock. */
  readonly openedMs: number;
  readonly #bytesBefore: number;
  readonly #ignored = new IgnoredMessages();
  readonly #did: string[] = [];
  #commands = 0;
  /** The camera that the connection is about, once it is named. */
  camera: string | undefined;

  /** @param beginning where somebody else read the beginning */
  constructor(log: Logger, beginning: Beginning | undefined) {
    this.#log = log;
    this.openedMs = performance.now() - (beginning?.ageMs ?? 0);
    this.#bytesBefore = beginning?.bytesBefore ?? 0;
  }

  /**
   * A request on it is about this camera. A connection is about one camera, because with media workers it is served
   * where that camera has its home.
   * @param camera undefined: none is named
   * @throws CodedError PUBLISH_NOT_REGISTERED for another camera than before
   */
  isAbout(camera: string | undefined): void {
    if (this.camera !== undefined && camera !== undefined && camera !== this.camera) {
      const text = `this connection is that of camera ${this.camera}; another camera takes another connection`;
      throw new CodedError('PUBLISH_NOT_REGISTERED', text);
    }
    this.camera ??= camera;
  }

  /** Number of ignored messages. */
  get ignoredMessages(): number {
    return this.#ignored.total;
  }

  /** The ignored messages by kind, in words; empty when there are none. */
  get ignoredText(): string {
    return this.#ignored.describe();
  }

  /** A command came. Logs only its name, since the arguments contain keys and tokens. */
  command(name: string): void {
    if (this.camera === undefined || this.#commands >= maxLoggedCommands) return;
    this.#commands++;
    this.#log.debug(`< ${name.slice(0, 40)}`, { camera: this.camera, event: 'command' });
  }

  /** A message was ignored; it is only counted. */
  countIgnored(kind: IgnoredKind): void {
    this.#ignored.note(kind);
  }

  /** A message was ignored; the first of each kind is logged. */
  ignored(kind: IgnoredKind, detail: string): void {
    if (!this.#ignored.note(kind)) return;
    // By kind, since lines of the same words are summed up.
    const message = `ignored what the peer sent: ${ignoredKinds[kind]}`;
    this.#log.warn(message, { ...this.#ofCamera(), kind, detail: detail.slice(0, 200) });
  }

  /** For the last line, which names the first few. */
  did(what: string): void {
    if (this.#did.length < maxNoted) this.#did.push(what);
  }

  /** Logs a failure that is a mistake of this program. */
  fault(message: string, error: unknown, fields: Readonly<Record<string, string>> = {}): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#log.error(message, { ...fields, error: text });
  }

  /** Writes the last line. @param isFresh whether it has said nothing */
  closed(reason: string, level: 'debug' | 'info' | 'warn', bytesRead: number, isFresh: boolean): void {
    const bytesIn = this.#bytesBefore + bytesRead;
    // A load balancer or probe that only checks whether the port is open does not get a line each time.
    const isProbe = level === 'info' && (bytesIn === 0 || isFresh);
    this.#log[isProbe ? 'debug' : level]('connection closed', {
      reason,
      ...this.#ofCamera(),
      ...(this.#did.length > 0 ? { did: this.#did.join(', ') } : {}),
      ...(this.#ignored.total > 0 ? { ignored: this.#ignored.describe() } : {}),
      seconds: Math.round((performance.now() - this.openedMs) / 100) / 10,
      bytesIn,
    });
  }

  #ofCamera(): { camera?: string } {
    return this.camera === undefined ? {} : { camera: this.camera };
  }
}
