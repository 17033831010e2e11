import { setHeardTimeout } from '../process/standstill.js';
import type { ClientSession } from './client-session.js';

/** A target that has not answered `publish` after so long gets media all the same; half of its deadline where that is less. */
const waitMs = 4000;

/**
 * Targets that take media and never answer `publish`. nginx-rtmp and SRS push to them, since they do not wait for an answer;
 * ffmpeg and OBS wait in vain. So we wait a while, and then send. From there on it is their acknowledgements that say
 * whether they live: without any the deadline ends the connection as if nothing had been sent.
 */
export class UnansweredPublish {
  readonly #waitMs: number;
  readonly #onStarted: (session: ClientSession) => void;
  #timer: NodeJS.Timeout | undefined;

  /** @param deadlineMs of each step @param onStarted media is sent from now on */
  constructor(deadlineMs: number, onStarted: (session: ClientSession) => void) {
    this.#waitMs = Math.min(waitMs, deadlineMs / 2);
    this.#onStarted = onStarted;
  }

  /** The session asked to publish. */
  await(session: ClientSession): void {
    this.end();
    this.#timer = setHeardTimeout(() => {
      if (session.step !== 'publish') return;
      session.startUnanswered();
      this.#onStarted(session);
    }, this.#waitMs);
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}
