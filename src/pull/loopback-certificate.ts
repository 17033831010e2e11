import { generateKeyPairSync, sign } from 'node:crypto';

/** Tags of DER (ITU-T X.690). */
const Tag = { Integer: 2, BitString: 3, Oid: 6, Utf8: 12, UtcTime: 23, Sequence: 0x30, Set: 0x31 } as const;
/** ecdsa-with-SHA256, 1.2.840.10045.4.3.2; commonName, 2.5.4.3. */
const oids = { ecdsaSha256: '2a8648ce3d040302', commonName: '550403' } as const;

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const { length } = body;
  const head = length < 0x80 ? [tag, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), body]);
}

/**
 * A certificate that this process makes for itself, for TLS with its own programs on the loopback. They do not look at it:
 * nobody is proved anything by it, and its key is of this life (RFC 5280, 4.1, version 1).
 */
export function loopbackCertificate(): { readonly key: string; readonly cert: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = der(Tag.Sequence, der(Tag.Oid, Buffer.from(oids.ecdsaSha256, 'hex')));
  const commonName = der(Tag.Oid, Buffer.from(oids.commonName, 'hex'));
  const value = der(Tag.Utf8, Buffer.from('media-aggregator'));
  const name = der(Tag.Sequence, der(Tag.Set, der(Tag.Sequence, commonName, value)));
  const time = (text: string): Buffer => der(Tag.UtcTime, Buffer.from(text));
  const validity = der(Tag.Sequence, time('200101000000Z'), time('491231235959Z'));
  const publicInfo = publicKey.export({ type: 'spki', format: 'der' });
  const body = der(Tag.Sequence, der(Tag.Integer, Buffer.from([1])), algorithm, name, validity, name, publicInfo);
  const signature = der(Tag.BitString, Buffer.from([0]), sign('sha256', body, privateKey));
  const text = der(Tag.Sequence, body, algorithm, signature).toString('base64').replace(/.{64}/g, '$&\n');
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`,
  };
}
