import { loopbackOf } from '../../address/every-address.js';
import type { Logger } from '../../log/log.js';
import { probeHandshake } from '../../rtmp/probe.js';
import type { RtmpServer } from '../../rtmp/rtmp-server.js';
import type { StreamHost } from '../../rtmp/stream-host.js';
import type { SrtListener } from '../../srt/srt-listener.js';
import type { BackendAddress } from '../backend.js';
import type { NativeBackendSettings } from './native-settings.js';
import { SecureListener } from './secure-listener.js';
import { openSrt } from './srt-entry.js';

export interface NativeListenersOptions {
  readonly settings: NativeBackendSettings;
  readonly server: RtmpServer;
  /** Decides who may publish by SRT. */
  readonly host: StreamHost;
  readonly log: Logger;
  /** A listener by TCP is there: pushes and pulls must not lead to it. */
  readonly onListening: (address: BackendAddress) => void;
  /** The one by SRT is there (UDP): pulls must not lead to it. A target by TCP may have the same number. */
  readonly onSrtListening: (address: BackendAddress) => void;
}

/** Where publishers and viewers come in: RTMP, with TLS and SRT beside it where they are set. */
export class NativeListeners {
  readonly #options: NativeListenersOptions;
  readonly #secure = new SecureListener();
  #srt: SrtListener | null = null;
  #address: BackendAddress | null = null;

  constructor(options: NativeListenersOptions) {
    this.#options = options;
  }

  /** What is wrong with the certificate of the one with TLS. */
  get problem(): SecureListener['problem'] {
    return this.#secure.problem;
  }

  /** Connections by SRT. */
  get srtConnections(): number {
    return this.#srt?.connections ?? 0;
  }

  /**
   * @returns where RTMP is taken, with the ports of the others
   * @throws CodedError ADDRESS_IN_USE, INVALID_ADDRESS; ConfigError TLS_CERTIFICATE, CONFIG_INVALID_VALUE
   */
  async open(): Promise<BackendAddress> {
    const { settings, server, log, onListening } = this.#options;
    const { host, rtmpPort, rtmps } = settings;
    const address = await server.listen(host, rtmpPort);
    this.#address = address;
    onListening(address);
    const secure = rtmps && (await this.#secure.listen(server, host, rtmps, log));
    if (secure !== undefined) onListening(secure);
    const srtPort = await this.#openSrt();
    const ofSrt = srtPort === undefined ? {} : { srtPort };
    return { ...address, ...(secure === undefined ? {} : { rtmpsPort: secure.port }), ...ofSrt };
  }

  async #openSrt(): Promise<number | undefined> {
    const { settings, host, log, onSrtListening } = this.#options;
    const { host: listenOn, srt, media } = settings;
    if (srt === undefined) return undefined;
    const { listener, port } = await openSrt({ listenOn, srt, media, host, log });
    this.#srt = listener;
    onSrtListening({ host: listenOn, port });
    return port;
  }

  /** True when a real RTMP handshake with the own listener succeeds within the deadline; false when there is none. */
  async probe(deadlineMs: number): Promise<boolean> {
    if (this.#address === null) return false;
    return probeHandshake(loopbackOf(this.#address.host), this.#address.port, deadlineMs);
  }

  /** Ends that of SRT, and no longer watches the certificate. Those of RTMP end with their server. */
  close(): void {
    this.#secure.close();
    this.#srt?.close();
  }
}
