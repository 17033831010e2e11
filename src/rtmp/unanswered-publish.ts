import { setHeardTimeout } from '../process/standstill.js';
import type { ClientSession } from './client-session.js';

/** A target that has not answered `publish` after so long gets media all the same; half of its deadline where that is less. */
const waitMs = 4000;

/** What lies unread in a socket: Linux lets it grow beyond some 200 KB only for who reads. */
const unreadBytes = 512 * 1024;

/** Whether the number of bytes that arrived at a target proves that its program reads them. */
export function provesReader(arrivedBytes: number): boolean {
  return arrivedBytes > unreadBytes;
}

/**
 * Targets that take media and never answer `publish`. nginx-rtmp and SRS push to them, since they do not wait for an answer;
 * ffmpeg and OBS wait in vain. So we wait a while, and then send. Whether they live, what they
 * acknowledge says, or take in larger quantities than lie unread in a socket (`provesReader`); one that takes nothing is
 * given up as every other.
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
    this.#timer = undefined;
  }
}
