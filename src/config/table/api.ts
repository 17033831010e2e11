import { table } from '../setting.js';
import {
  choiceType,
  httpUrlType,
  integerType,
  nameListType,
  networkListType,
  originListType,
  textType,
} from '../values.js';

/** Who may call the API, and how. */
export const apiTable = table({
  /** Who needs a token: `auto`: all but programs of this user on this machine; `on`: everybody; `off`: nobody. */
  apiAuth: {
    key: 'api-auth',
    type: choiceType('auto', 'on', 'off'),
    default: 'auto',
    description:
      'Who needs a token for the API: auto: everyone except programs of the same user on this machine; on: everyone; off: no one',
  },
  /** Names besides those of this machine by which the API is called without a token. */
  apiNames: {
    key: 'api-names',
    type: nameListType(),
    default: undefined,
    description: 'Additional host names by which the API may be called without a token',
  },
  /** IP networks whose calls of the content manager need no token. */
  apiAllow: {
    key: 'api-allow',
    type: networkListType(),
    default: undefined,
    description: "Networks that need no token for the content manager's four calls",
  },
  /** Origins of web pages elsewhere that may use the API. */
  apiCorsOrigin: {
    key: 'api-cors-origin',
    type: originListType(),
    default: undefined,
    description: 'Origins of other web pages that may call the API (CORS)',
  },
  /** Calls a second from one address on another machine, ten times as many at once; 0: no limit. */
  apiRateLimit: {
    key: 'api-rate-limit',
    type: integerType(0, 1_000_000),
    default: 100,
    description: 'API calls per second allowed from one other machine, with bursts of ten times as many; 0: no limit',
  },
  /** PEM files; both or neither. With them the API is served by HTTPS only. */
  apiTlsCert: {
    key: 'api-tls-cert',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'Certificate of the API with its chain (PEM); if set, the API is served over HTTPS',
  },
  apiTlsKey: {
    key: 'api-tls-key',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'Private key of api-tls-cert (PEM, without a password); both files are read again when they change',
  },
  /** Where the admin token is kept; undefined: `admin-token` in the data folder. */
  adminTokenFile: {
    key: 'admin-token-file',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'File of the admin token, created if it does not exist; if not set, it is in the data folder',
  },
  /** Where the keys of an identity provider are; at most one of the two. */
  jwtJwksUrl: {
    key: 'jwt-jwks-url',
    type: httpUrlType(443),
    default: undefined,
    description: 'Public keys of an identity provider (JWKS over https); the API then accepts its tokens (JWT)',
  },
  jwtJwksFile: {
    key: 'jwt-jwks-file',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'The same keys in a file, so that the provider is not contacted',
  },
  jwtIssuer: {
    key: 'jwt-issuer',
    type: textType(512),
    default: undefined,
    description: 'Issuer (iss) that tokens of the identity provider must have',
  },
  jwtAudience: {
    key: 'jwt-audience',
    type: textType(512),
    default: undefined,
    description: 'Audience (aud) that tokens of the identity provider must have',
  },
  /** The claim that holds the scopes, or a path of claims with dots. */
  jwtScopeClaim: {
    key: 'jwt-scope-claim',
    type: textType(256),
    default: 'scope',
    description:
      'Claim that holds read, operate or admin, as text or a list; dots separate levels (realm_access.roles)',
  },
});
