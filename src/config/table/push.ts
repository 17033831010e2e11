import { targetRulesType } from '../lists.js';
import { table } from '../setting.js';
import { durationType, textType } from '../values.js';

/** How pushes reach their targets, and where they may go. */
export const pushTable = table({
  pushRetryMinMs: {
    key: 'push-retry-min',
    type: durationType('10ms', '1h'),
    default: 250,
    description: 'Delay before a failed push is retried; it doubles with each failure',
  },
  pushRetryMaxMs: {
    key: 'push-retry-max',
    type: durationType('10ms', '1h'),
    default: 15_000,
    description: 'Maximum delay between two attempts of a push',
  },
  /** Each step of a push: TCP, handshake, connect, publish. */
  connectTimeoutMs: {
    key: 'connect-timeout',
    type: durationType('100ms', '10m'),
    default: 5_000,
    description: 'Time limit for each step of a push: TCP, handshake, connect, publish',
  },
  /** Networks and hosts that pushes may go to, as `src/address/target-rule.ts` reads them; undefined: all but denied ones. */
  pushAllow: {
    key: 'push-allow',
    type: targetRulesType(),
    default: undefined,
    description: 'Networks and hosts that pushes may go to; if not set, all that are not denied',
  },
  pushDeny: {
    key: 'push-deny',
    type: targetRulesType(),
    default: undefined,
    description: 'Networks and hosts that pushes must not go to, whatever push-allow says',
  },
  /** A file of certificates (PEM) that targets of rtmps:// may have or be signed by, besides those that Node trusts. */
  pushTlsCa: {
    key: 'push-tls-ca',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'Certificates (PEM) to trust for rtmps:// targets, besides the public authorities',
  },
  stallTimeoutMs: {
    key: 'stall-timeout',
    type: durationType('1s', '1h'),
    default: 10_000,
    description: 'How long a target may accept no data, or show no sign of life, before the push reconnects',
  },
});
