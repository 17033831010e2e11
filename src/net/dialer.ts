import { connect, isIP, type LookupFunction, type Socket, type TcpNetConnectOpts } from 'node:net';
import { type ConnectionOptions, createSecureContext, type SecureContext } from 'node:tls';
import { PushPolicy } from '../address/push-policy.js';
import type { RtmpUrl } from '../address/rtmp-url.js';
import { TargetError } from '../errors.js';
import { openFiles } from '../process/open-files.js';
import { lookupFunction, type SharedLookups, sharedLookups } from './lookup.js';
import type { MediaSocket } from './media-socket.js';
import { type ConnectProgress, connectSecureSocket, connectSocket } from './node-socket.js';
import type { SocketMode } from './settings.js';

/** A name with several addresses: each gets this long before the next is tried beside it. */
const nextAddressMs = 1000;

/** Certificates that are trusted in place of those that Node.js trusts, and may change. */
export interface TrustedCertificates {
  /** PEM, for `tls.createSecureContext`. */
  readonly certificates: (string | Buffer)[];
  /** Another one when they are others. */
  readonly version: number;
  /** They are about to be used. */
  used(): void;
}

/**
 * Opens all connections to targets, and keeps to where they may go: each address is judged after the look-up, as it is
 * about to be dialled, so that a name which changes its address is judged by the new one.
 */
export class Dialer {
  readonly policy: PushPolicy;
  readonly #lookups: SharedLookups;
  readonly #trust: TrustedCertificates | undefined;
  readonly #socketMode: SocketMode;
  #secureContext: SecureContext | undefined;
  #trustVersion = 0;

  /** @param options.trust which certificates are trusted; without it, those that Node.js trusts */
  constructor(
    options: {
      policy?: PushPolicy;
      lookups?: SharedLookups;
      trust?: TrustedCertificates | undefined;
      socketMode?: SocketMode;
    } = {},
  ) {
    this.policy = options.policy ?? new PushPolicy();
    this.#lookups = options.lookups ?? sharedLookups;
    this.#trust = options.trust;
    this.#socketMode = options.socketMode ?? 'auto';
  }

  /** Why there is no way to this URL whatever its name resolves to; undefined when there may be one. */
  refuses(url: RtmpUrl): TargetError | undefined {
    return this.policy.refusesHost(url.host, url.port);
  }

  /**
   * Begins to connect, with TLS to an `rtmps://` URL. A name all of whose addresses are refused ends in the error
   * TARGET_FORBIDDEN; of others only those that are allowed are tried.
   * @param attemptMs how long the whole of it may take
   * @throws TargetError TARGET_FORBIDDEN for an address, or a name as such; OPEN_FILES_LIMIT
   */
  connect({ scheme, host, port }: RtmpUrl, attemptMs: number, progress: ConnectProgress): MediaSocket {
    const options = this.#options(host, port, attemptMs);
    if (scheme === 'rtmp') return connectSocket(options, progress, this.#socketMode);
    return connectSecureSocket({ ...options, ...this.tlsOptions(host) }, progress);
  }

  /** How TLS is spoken with a host: which certificates are trusted, and for which name. */
  tlsOptions(host: string): Pick<ConnectionOptions, 'servername' | 'secureContext' | 'rejectUnauthorized'> {
    // For an address no name is sent (RFC 6066, 3); the certificate must be for the address then.
    const servername = isIP(host) === 0 ? { servername: host.replace(/\.$/, '') } : {};
    // Said, so that NODE_TLS_REJECT_UNAUTHORIZED does not take it away.
    return { ...servername, secureContext: this.#contextNow(), rejectUnauthorized: true };
  }

  /**
   * The addresses of a host that may be dialled, looked up and judged as those of `connect` are.
   * @throws (rejects) TargetError TARGET_FORBIDDEN; Error of the look-up
   */
  async resolve(host: string, port: number): Promise<string[]> {
    const refusal = this.policy.refusesHost(host, port);
    if (refusal !== undefined) throw refusal;
    if (isIP(host) !== 0) return [host];
    return new Promise((resolve, reject) => {
      this.#guardedLookup(port)(host, { all: true }, (error, addresses) => {
        if (error !== null) reject(error);
        else resolve(typeof addresses === 'string' ? [addresses] : addresses.map(({ address }) => address));
      });
    });
  }

  /** Made once for the same certificates: a context with all roots takes some milliseconds and half a megabyte. */
  #contextNow(): SecureContext {
    const trust = this.#trust;
    if (this.#secureContext === undefined || (trust !== undefined && trust.version !== this.#trustVersion)) {
      this.#trustVersion = trust?.version ?? 0;
      const ca = trust === undefined ? {} : { ca: trust.certificates };
      this.#secureContext = createSecureContext({ minVersion: 'TLSv1.2', ...ca });
    }
    trust?.used();
    return this.#secureContext;
  }

  /** A bare connection, to look whether somebody is there. As `connect` otherwise. */
  knock(host: string, port: number, attemptMs: number): Socket {
    return connect(this.#options(host, port, attemptMs));
  }

  #options(host: string, port: number, attemptMs: number): TcpNetConnectOpts {
    const refusal = this.policy.refusesHost(host, port);
    if (refusal !== undefined) throw refusal;
    if (!openFiles.hasRoomFor('push')) {
      const { open, limit } = openFiles.figures;
      const text = `no descriptor is left for ${host}:${port}: ${open} of ${limit} are open (ulimit -n), and the rest is kept for the API and for files`;
      throw new TargetError('OPEN_FILES_LIMIT', text);
    }
    return {
      host,
      port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 30_000,
      lookup: this.#guardedLookup(port),
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: Math.min(nextAddressMs, Math.max(10, attemptMs / 2)),
    };
  }

  #guardedLookup(port: number): LookupFunction {
    return lookupFunction(this.#lookups, (host, addresses) => {
      let refusal: TargetError | undefined;
      const allowed = addresses.filter(({ address }) => {
        const found = this.policy.refuses(host, address, port);
        refusal ??= found;
        return found === undefined;
      });
      if (allowed.length === 0 && refusal !== undefined) throw refusal;
      return allowed;
    });
  }
}
