import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, SignJWT } from 'jose';

export const issuer = 'https://idp.example.org/';
export const audience = 'media-aggregator';

/** An identity provider of our own: keys, and tokens made with them. */
export interface IdentityProvider {
  /** What stands at its JWKS address. */
  readonly jwks: string;
  /** A token that is right, but for what is given. */
  sign(change?: TokenChange): Promise<string>;
  /** The same claims with another head and signature. */
  forge(header: object, signature: (signed: string) => string): string;
  /** Any texts as head and claims, with a signature that is right. */
  seal(header: string, claims: string): string;
  /** HMAC with the provider's public key as the secret. */
  hmacWithPublicKey(signed: string): string;
}

export interface TokenChange {
  readonly scope?: unknown;
  readonly iss?: string;
  readonly aud?: string;
  /** Seconds from now. */
  readonly expiresIn?: number | null;
  readonly notBefore?: number;
  readonly key?: KeyObject;
  readonly claims?: Record<string, unknown>;
}

export async function makeProvider(): Promise<IdentityProvider> {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' };
  const nowS = () => Math.floor(Date.now() / 1000);
  return {
    jwks: JSON.stringify({ keys: [jwk] }),
    sign: async (change = {}) => {
      const { scope = 'operate', iss = issuer, aud = audience, expiresIn = 600, notBefore, key, claims = {} } = change;
      const token = new SignJWT({ scope, ...claims })
        .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
        .setIssuer(iss)
        .setAudience(aud)
        .setSubject('somebody');
      if (expiresIn !== null) token.setExpirationTime(nowS() + expiresIn);
      if (notBefore !== undefined) token.setNotBefore(nowS() + notBefore);
      return token.sign(key ?? privateKey);
    },
    forge: (header, signature) => {
      const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
      const claims = { scope: 'admin', iss: issuer, aud: audience, sub: 'x', exp: nowS() + 600 };
      const signed = `${part(header)}.${part(claims)}`;
      return `${signed}.${signature(signed)}`;
    },
    seal: (header, claims) => {
      const signed = [header, claims].map((text) => Buffer.from(text).toString('base64url')).join('.');
      const signature = sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' });
      return `${signed}.${signature.toString('base64url')}`;
    },
    hmacWithPublicKey: (signed) => {
      const pem = publicKey.export({ type: 'spki', format: 'pem' });
      return createHmac('sha256', pem).update(signed).digest('base64url');
    },
  };
}

/** Serves keys at an address of this machine. */
export async function serveKeys(answer: () => { status: number; body: string }): Promise<{
  url: string;
  asked: () => number;
  close(): Promise<void>;
}> {
  let asked = 0;
  const server = createServer((_, response) => {
    asked += 1;
    const { status, body } = answer();
    response.writeHead(status, { 'content-type': 'application/json' }).end(body);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => {
      server.close(resolve);
    });
  };
  return { url: `http://127.0.0.1:${port}/keys`, asked: () => asked, close };
}
