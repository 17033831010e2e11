import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { exchange } from './exchange.js';

/**
 * `fetch` for the aggregator of this machine when it speaks HTTPS: its certificate is for the name that others call it
 * by, perhaps of a private authority, and not for 127.0.0.1. It is held against the very file that the aggregator has it
 * from, before anything is sent.
 * @param certFile PEM
 */
export function pinnedFetch(certFile: string): typeof fetch {
  return async (input, init = {}) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const socket = connect({
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: Number(url.port || 443),
      // What the authorities of this machine say does not matter here.
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
    });
    await once(socket, 'secureConnect', init.signal == null ? {} : { signal: init.signal });
    const expected = new X509Certificate(readFileSync(certFile)).fingerprint256;
    if (socket.getPeerCertificate().fingerprint256 !== expected) {
      socket.destroy();
      throw new Error(`it shows another certificate than ${certFile} has`);
    }
    return exchange(socket, url, init);
  };
}
