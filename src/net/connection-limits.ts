import { addressKey } from '../address/plain-address.js';
import type { Logger } from '../log/log.js';
import { type OpenFiles, openFiles } from '../process/open-files.js';

/**
 * Connections that others may have with us at once: in all, from one address, or one subscriber's IPv6 network, and as far
 * as descriptors reach.
 */
export class ConnectionLimits {
  readonly #settings: { readonly maxConnections: number; readonly maxConnectionsPerAddress: number };
  readonly #log: Logger;
  readonly #perAddress = new Map<string, number>();
  readonly #openFiles: OpenFiles;
  #connections = 0;

  constructor(
    settings: { readonly maxConnections: number; readonly maxConnectionsPerAddress: number },
    log: Logger,
    files: OpenFiles = openFiles,
  ) {
    this.#settings = settings;
    this.#log = log;
    this.#openFiles = files;
  }

  /** How many were let in and are not over. */
  get connections(): number {
    return this.#connections;
  }

  /**
   * Lets one in, when there is room. Returns what is to be called once when it is over; undefined: it is refused, and
   * the log says so.
   */
  admit(address: string | undefined): (() => void) | undefined {
    if (address === undefined) return undefined; // gone already
    const key = addressKey(address);
    const sameAddress = this.#perAddress.get(key) ?? 0;
    const { maxConnections, maxConnectionsPerAddress } = this.#settings;
    if (this.#connections >= maxConnections || sameAddress >= maxConnectionsPerAddress) {
      this.#logFull(address, sameAddress);
      return undefined;
    }
    if (!this.#openFiles.hasRoomFor('media', 1)) {
      const { open, limit } = this.#openFiles.figures;
      const [connections, summed] = [this.#connections, true];
      this.#log.warn('OPEN_FILES_LIMIT: connections refused', { summed, connections, open, limit });
      return undefined;
    }
    this.#connections++;
    this.#perAddress.set(key, sameAddress + 1);
    return () => {
      this.#connections--;
      const left = (this.#perAddress.get(key) ?? 1) - 1;
      if (left > 0) this.#perAddress.set(key, left);
      else this.#perAddress.delete(key);
    };
  }

  /** The log sums them up by address and reason. */
  #logFull(address: string, sameAddress: number): void {
    const { maxConnections, maxConnectionsPerAddress } = this.#settings;
    const isFull = this.#connections >= maxConnections;
    this.#log.warn('RTMP_LIMIT: connections refused', {
      address,
      reason: isFull ? 'max-connections' : 'max-connections-per-address',
      connections: this.#connections,
      maxConnections,
      fromThisAddress: sameAddress,
      maxConnectionsPerAddress,
    });
  }
}
