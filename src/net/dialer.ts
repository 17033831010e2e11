import { connect, isIP, type LookupFunction, type Socket, type TcpNetConnectOpts } from 'node:net';
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';
import { PushPolicy } from '../address/push-policy.js';
import type { RtmpUrl } from '../address/rtmp-url.js';
import type { TargetError } from '../errors.js';
import { lookupFunction, type SharedLookups, sharedLookups } from './lookup.js';
import type { MediaSocket } from './media-socket.js';
import { type ConnectProgress, connectSecureSocket, connectSocket } from './node-socket.js';
import type { SocketMode } from './settings.js';

/** A name with several addresses: each gets this long before the next is tried beside it. */
const nextAddressMs = 1000;

/**
 * Opens all connections to targets, and keeps to where they may go: each address is judged after the look-up, as it is
 * about to be dialled, so that a name which changes its address is judged by the new one.
 */
export class Dialer {
  readonly policy: PushPolicy;
  readonly #lookups: SharedLookups;
  readonly #ca: Buffer | undefined;
  readonly #socketMode: SocketMode;
  #secureContext: SecureContext | undefined;

  /** @param options.ca certificates (PEM) that are trusted besides those that Node brings */
  constructor(
    options: {
      policy?: PushPolicy;
      lookups?: SharedLookups;
      ca?: Buffer | undefined;
      socketMode?: SocketMode;
    } = {},
  ) {
    this.policy = options.policy ?? new PushPolicy();
    this.#lookups = options.lookups ?? sharedLookups;
    this.#ca = options.ca;
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
   * @throws TargetError TARGET_FORBIDDEN for an address, or a name as such
   */
  connect({ scheme, host, port }: RtmpUrl, attemptMs: number, progress: ConnectProgress): MediaSocket {
    const options = this.#options(host, port, attemptMs);
    if (scheme === 'rtmp') return connectSocket(options, progress, this.#socketMode);
    // Made once: a context with all roots takes some milliseconds and half a megabyte.
    this.#secureContext ??= createSecureContext({
      minVersion: 'TLSv1.2',
      ...(this.#ca === undefined ? {} : { ca: [...rootCertificates, this.#ca] }),
    });
    // For an address no name is sent (RFC 6066, 3); the certificate must be for the address then.
    const servername = isIP(host) === 0 ? { servername: host.replace(/\.$/, '') } : {};
    const secureContext = this.#secureContext;
    // Said, so that NODE_TLS_REJECT_UNAUTHORIZED does not take it away.
    return connectSecureSocket({ ...options, ...servername, secureContext, rejectUnauthorized: true }, progress);
  }

  /** A bare connection, to look whether somebody is there. As `connect` otherwise. */
  knock(host: string, port: number, attemptMs: number): Socket {
    return connect(this.#options(host, port, attemptMs));
  }

  #options(host: string, port: number, attemptMs: number): TcpNetConnectOpts {
    const refusal = this.policy.refusesHost(host, port);
    if (refusal !== undefined) throw refusal;
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
