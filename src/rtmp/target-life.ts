import { heardMs } from '../process/standstill.js';
import type { TargetAcknowledgements } from './target-acknowledgements.js';

/** So many pings at the beginning find out whether the target answers pings at all. */
const learningPings = 3;

/** As many answers make a habit. */
const habit = 3;

/** Acknowledgements of one that answers no pings must have come so often before their absence says something. */
const acknowledgingHabit = 5;

/** A target that is silent for this long is pinged. */
const quietMs = 1000;

/**
 * Behind so many bytes of which nothing is known there is a ping, so that the next sign is never far away for one that reads
 * slowly: behind more where the target acknowledges too.
 */
const pingBytes = { usually: 256 * 1024, closely: 64 * 1024 } as const;

/** Maximum number of pings that wait for an answer at the same time. */
const maxPings = 16;
/** How long after a ping the target may be heard, and the answer still come, milliseconds. */
const lostAfterMs = 30_000;

/** An answer is overdue after this many times its usual time. */
const patience = 3;

/** A target that reads this slowly is of no use to anybody, bytes a second. One that reads faster is not called frozen. */
const slowestBytesPerSecond = 64 * 1024;

/** Of the longest time so far, what still counts of it at the next sign: habits change. */
const fading = 0.9;

interface Ping {
  /** What had been written before it. */
  readonly position: number;
  readonly sentMs: number;
}

/**
 * Whether the program at the far end still runs. Its machine's TCP goes on taking bytes when the program froze, until a
 * buffer of megabytes is full, so bytes that leave prove little; only a program sends acknowledgements and answers to pings
 * (RTMP 1.0, sections 5.4.3 and 7.1.7). What is missing counts only against what this very target used to do: one that
 * never acknowledges, or never answers pings, owes nothing. A ping is read behind the media that was sent before it, so a
 * slow target gets the time that it needs to come there.
 */
export class TargetLife {
  readonly #pings: Ping[] = [];
  #asked = 0;
  #answers = 0;
  #heardMs: number;
  #longestWaitMs = 0;
  #lastPingAt = 0;
  /** Bytes that the program read for certain, as its last answer to a ping shows. */
  #readBytes = 0;
  /** When it was first asked; undefined: not yet. */
  #firstPingMs: number | undefined;

  constructor(nowMs: number) {
    this.#heardMs = nowMs;
  }

  /** True when it answers pings, by what it did so far. */
  get answersPings(): boolean {
    return this.#answers >= habit;
  }

  /** Bytes came from the target. */
  heard(nowMs: number): void {
    const [oldest] = this.#pings;
    if (oldest !== undefined) {
      const waitedMs = heardMs(Math.max(oldest.sentMs, this.#heardMs), nowMs);
      this.#longestWaitMs = Math.max(waitedMs, this.#longestWaitMs * fading);
    }
    this.#heardMs = nowMs;
  }

  /** For how long nothing came from the target, milliseconds. */
  silentMs(nowMs: number): number {
    return heardMs(this.#heardMs, nowMs);
  }

  /** It answered this many pings; servers answer in order. Returns up to where it certainly has read. */
  answered(count: number): number {
    for (let i = 0; i < count; i++) {
      const ping = this.#pings.shift();
      if (ping === undefined) break;
      this.#answers++;
      this.#readBytes = Math.max(this.#readBytes, ping.position);
    }
    return this.#readBytes;
  }

  /** Whether it is to be asked now. Call about once a second. @param isDoubtful it seems to be slow */
  wantsPing(isDoubtful: boolean, nowMs: number): boolean {
    this.#forgetLost();
    if (this.#pings.length >= maxPings) return false;
    return this.#asked < learningPings || nowMs - this.#heardMs >= quietMs || (isDoubtful && this.answersPings);
  }

  /** A ping will never be answered if the target was heard long after it: it no longer counts as under way. */
  #forgetLost(): void {
    while (this.#pings.length > 0 && this.#heardMs - this.#pings[0]!.sentMs > lostAfterMs) this.#pings.shift();
  }

  /** A ping was sent. @param position bytes that had been written before it */
  asked(position: number, nowMs: number): void {
    this.#firstPingMs ??= nowMs;
    this.#asked++;
    this.#lastPingAt = position;
    this.#pings.push({ position, sentMs: nowMs });
  }

  /** Behind this position in what is written the next ping is to go out, without waiting for a look. */
  nextPingAt({ acknowledgedBytes, progressMs }: TargetAcknowledgements, nowMs: number): number {
    if (!this.answersPings || this.#pings.length >= maxPings) return Number.POSITIVE_INFINITY;
    const knownBytes = Math.max(acknowledgedBytes ?? 0, this.#readBytes, this.#lastPingAt);
    return knownBytes + (nowMs - progressMs < quietMs ? pingBytes.usually : pingBytes.closely);
  }

  /** True when it closes on being asked, as far as that shows: soon after the first ping, and without a word. */
  diedOfPing(nowMs: number): boolean {
    return this.#firstPingMs !== undefined && this.#answers === 0 && nowMs - this.#firstPingMs < 2 * quietMs;
  }

  /**
   * For how long the target has shown no sign of life, milliseconds, where by its habits it should have for longer than
   * `limitMs`; else 0. @param handed bytes that the kernel took @param askedEveryBytes how often it is to acknowledge
   */
  missingMs(
    limitMs: number,
    nowMs: number,
    acknowledgements: TargetAcknowledgements,
    handed: number,
    askedEveryBytes: number,
  ): number {
    const silentMs = this.silentMs(nowMs);
    const [oldest] = this.#pings;
    if (silentMs <= limitMs || oldest === undefined) return 0;
    if (this.answersPings) {
      const readBytes = Math.max(this.#readBytes, acknowledgements.acknowledgedBytes ?? 0);
      const waitedMs = heardMs(Math.max(oldest.sentMs, this.#heardMs), nowMs);
      const allowedMs = Math.max(patience * this.#longestWaitMs, timeToRead(oldest.position - readBytes));
      return waitedMs > allowedMs ? silentMs : 0;
    }
    // It was pinged and did not answer; it is unknown whether it ever answers.
    if (acknowledgements.count < acknowledgingHabit) return 0;
    const stepBytes = Math.max(acknowledgements.stepBytes, askedEveryBytes);
    const owedBytes = handed - (acknowledgements.acknowledgedBytes ?? 0);
    const allowedMs = Math.max(patience * acknowledgements.longestPauseMs, timeToRead(stepBytes));
    return owedBytes >= patience * stepBytes && silentMs > allowedMs ? silentMs : 0;
  }
}

function timeToRead(bytes: number): number {
  return (Math.max(0, bytes) * 1000) / slowestBytesPerSecond;
}
