import { isIP } from 'node:net';
import { parseRtmpUrl } from '../address/rtmp-url.js';
import type { ErrorCode, TargetError } from '../errors.js';
import type { Dialer } from '../net/dialer.js';
import type { OutgoingSettings, OutgoingStep } from '../rtmp/outgoing-attempt.js';
import { OutgoingConnection, type OutgoingHandler } from '../rtmp/outgoing-connection.js';

/** The steps of a test, in this order; `dns` only if the host is a name, `tls` only with rtmps. */
export type TargetTestStep = 'dns' | 'tcp' | 'tls' | 'handshake' | 'connect' | 'publish';

export interface TargetTestResult {
  /** True when the target would take the stream. */
  readonly ok: boolean;
  /** The steps that were reached; if the test failed, it failed in the last one. */
  readonly steps: readonly {
    readonly step: TargetTestStep;
    readonly ok: boolean;
    /** How long it took. */
    readonly durationMs: number;
    readonly error: { readonly code: ErrorCode; readonly message: string } | null;
  }[];
}

/**
 * Connects to a target up to the permission to publish, sends no media, and says goodbye. A target that already
 * receives this stream refuses the publish, as it would refuse a second push.
 * @throws InputError INVALID_ADDRESS, TargetError TARGET_UNSUPPORTED or TARGET_FORBIDDEN if the target is not tried
 */
export function testTarget(url: string, settings: OutgoingSettings, dialer?: Dialer): Promise<TargetTestResult> {
  return new Promise((resolve) => {
    const steps: { step: TargetTestStep; ok: boolean; durationMs: number; error: TargetError | null }[] = [];
    let current: TargetTestStep = isIP(parseRtmpUrl(url).host) === 0 ? 'dns' : 'tcp';
    let sinceMs = performance.now();
    const done = (error: TargetError | null): void => {
      const nowMs = performance.now();
      const durationMs = Math.round((nowMs - sinceMs) * 10) / 10;
      sinceMs = nowMs;
      steps.push({ step: current, ok: error === null, durationMs, error });
    };
    const finish = (): void => {
      const shown = steps.map(({ error, ...step }) => ({
        ...step,
        error: error === null ? null : { code: error.code, message: error.message },
      }));
      resolve({ ok: shown.at(-1)?.ok === true && shown.at(-1)?.step === 'publish', steps: shown });
    };
    const handler: OutgoingHandler = {
      onStep: (step) => {
        const next = stepOf(step);
        if (next === null || next === current) return;
        done(null);
        current = next;
      },
      onPublished: () => {
        done(null);
        connection.close();
      },
      onDrain() {},
      onClosed: (error) => {
        if (error !== null) done(error);
        finish();
      },
    };
    const connection = new OutgoingConnection(url, settings, handler, dialer === undefined ? {} : { dialer });
  });
}

function stepOf(step: OutgoingStep): TargetTestStep | null {
  if (step === 'createStream' || step === 'publish') return 'publish';
  return step === 'published' || step === 'ended' ? null : step;
}
