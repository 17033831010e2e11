import { CodedError, codeOf, messageOf } from '../../errors.js';
import type { Logger } from '../../log/log.js';
import type { RtmpServer } from '../../rtmp/rtmp-server.js';
import { type WatchedCertificate, watchCertificate } from '../../tls/watch-certificate.js';
import type { BackendAddress } from '../backend.js';
import type { RtmpsSettings } from './native-settings.js';

/** The listener with TLS beside the plain one, with a certificate that may change while it runs. */
export class SecureListener {
  #certificate: WatchedCertificate | null = null;

  /** What is wrong with its certificate. */
  get problem(): WatchedCertificate['problem'] | undefined {
    return this.#certificate?.problem;
  }

  /** @throws CodedError ADDRESS_IN_USE, INVALID_ADDRESS; ConfigError TLS_CERTIFICATE */
  async listen(
    server: RtmpServer,
    host: string,
    { port, certFile, keyFile }: RtmpsSettings,
    log: Logger,
  ): Promise<BackendAddress> {
    this.#certificate = watchCertificate({
      ...{ certFile, keyFile, certFlag: '--rtmps-cert', keyFlag: '--rtmps-key' },
      log,
      onChange: (certificate) => server.setCertificate(certificate),
    });
    try {
      return await server.listenSecure(host, port, this.#certificate.current);
    } catch (error) {
      throw new CodedError(codeOf(error), messageOf(error), { cause: error, field: '--rtmps-port' });
    }
  }

  /** Watches the certificate no more; the listener ends with its server. */
  close(): void {
    this.#certificate?.close();
  }
}
