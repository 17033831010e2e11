import { WireError } from '../errors.js';
import { MessageType, UserControlEvent } from '../wire/message.js';
import { countTracks } from '../wire/tracks.js';

/**
 * Useless messages that a peer may send, in points: `perSecond` for ever, and `atOnce` after a rest. A message that does
 * nothing for a stream costs about one (`PeerMeter` has the list). Cameras, viewers and targets stay below one a second,
 * at their begin and end below a hundred at once; what comes close is an encoder that repeats its headers with every
 * frame and sends a recording at ten times its speed (a header costs a quarter).
 */
const uselessPoints = { perSecond: 200, atOnce: 2000 } as const;

/** Plays and publishes that a connection may ask for: one a second for ever, and so many after a rest. */
const maxRequestsAtOnce = 32;

/** Work of one of them: somebody is told, and the beginning of a GOP goes out. */
const requestUnits = 100;

/** Media messages up to this size hold no picture and no sound: their headers alone take as much. */
const emptyVideoBytes = 5;
const emptyAudioBytes = 2;

/** So many bytes of a read are a unit: the kernel copies them, and we do, where a message does not come in one piece. */
const readUnitShift = 12;

/** Work of a read, whatever its size: of TLS there may be thousands of a byte each in one packet. */
const readUnits = 4;

/** Work of a large message, beyond which its size does not count: its bytes are copied fast, and reads are shared out. */
const maxMediaUnits = 16;

/** Each track of a message that holds several becomes a message of its own. */
const unitsPerTrack = 2;

/**
 * Weighs what one peer sends, by type and size alone, before anything is done about it.
 *
 * - **Work**, in units of about a microsecond or two: what a turn of the event loop is shared out by. Whoever did more
 *   than it was granted (one costly message) owes the rest, and pays it off in later turns.
 * - **Uselessness**, in points: pings, control messages, commands, empty media, and metadata and headers again and again.
 *   They are let pass at a rate beyond any camera's; above, the connection is ended.
 */
export class PeerMeter {
  #units = 0;
  #points: number = uselessPoints.atOnce;
  #requests = maxRequestsAtOnce;
  #atMs: number;
  readonly #nowMs: () => number;

  /** @param nowMs a clock that never goes back, milliseconds */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
    this.#atMs = nowMs();
  }

  /** True while work that was granted is left. */
  get hasLeft(): boolean {
    return this.#units > 0;
  }

  /** Looks at what `weigh` will need: `prefetch` in `RingReceiver`. */
  prefetch(): number {
    return this.#units + (this.#points > 0 ? 1 : 0);
  }

  /** Work for this turn; what was left of the one before is lost, what is owed is paid. */
  grant(units: number): void {
    this.#units = Math.min(units, this.#units + units);
  }

  /** Takes units of work. False: what was granted is spent. */
  spend(units: number): boolean {
    this.#units -= units;
    return this.#units > 0;
  }

  /** Weighs a read by its size: what it has of messages that are not whole is weighed nowhere else. */
  read(bytes: number): void {
    this.#units -= readUnits + (bytes >>> readUnitShift);
  }

  /** Counts what is of no use to anybody. @throws WireError RTMP_FLOOD */
  waste(points: number): void {
    this.#points -= points;
    if (this.#points >= 0) return;
    this.#refill();
    if (this.#points < 0) {
      throw new WireError(
        'RTMP_FLOOD',
        `the peer sends useless messages (pings, commands, control messages, empty media, repeated headers) on and on: more than ${uselessPoints.perSecond} a second`,
      );
    }
  }

  /** Counts a play or publish, which is a good piece of work. @throws WireError RTMP_FLOOD */
  request(): void {
    this.#refill();
    this.#units -= requestUnits;
    this.#requests -= 1;
    if (this.#requests < 0) {
      throw new WireError(
        'RTMP_FLOOD',
        `the peer asks to play or publish more than ${maxRequestsAtOnce} times in as many seconds`,
      );
    }
  }

  /** Weighs one message. False: what was granted is spent. @throws WireError RTMP_FLOOD */
  weigh(type: number, payload: Buffer): boolean {
    const { length } = payload;
    switch (type) {
      case MessageType.Video:
        // The second byte of a frame is 1, or part of a FourCC; 0 says a header, or little.
        if (length > emptyVideoBytes && payload[1] !== 0) {
          return this.spend(mediaUnits(length) + unitsPerTrack * countTracks(true, payload));
        }
        return this.#weighHeader(length, length <= emptyVideoBytes);
      case MessageType.Audio:
        if (length > emptyAudioBytes && (payload[1] !== 0 || payload[0]! >>> 4 !== 10)) {
          return this.spend(mediaUnits(length) + unitsPerTrack * countTracks(false, payload));
        }
        return this.#weighHeader(length, length <= emptyAudioBytes);
      case MessageType.DataAmf0:
      case MessageType.DataAmf3:
        if (length > emptyVideoBytes && !isMetadata(type, payload)) return this.spend(4 + (length >>> 6));
        this.waste(1 + (length >>> 10));
        return this.spend(16 + (length >>> 6));
      case MessageType.CommandAmf0:
      case MessageType.CommandAmf3:
        this.waste(4 + (length >>> 9));
        return this.spend(8 + (length >>> 5));
      case MessageType.Acknowledgement:
        this.waste(0.1);
        return this.spend(1);
      case MessageType.UserControl:
        this.waste(2);
        return this.spend(payload[1] === UserControlEvent.PingRequest ? 8 : 1);
      case MessageType.Abort:
        this.waste(4);
        return this.spend(2);
      case MessageType.Aggregate:
        // Its parts are weighed one by one; without any it is nothing.
        if (length < 11) this.waste(1);
        return this.spend(2);
      default:
        this.waste(1 + (length >>> 10));
        return this.spend(1 + (length >>> 10));
    }
  }

  #weighHeader(length: number, isEmpty: boolean): boolean {
    this.waste(isEmpty ? 0.5 : 0.25 + (length >>> 12));
    return this.spend(4 + (length >>> 8));
  }

  #refill(): void {
    const nowMs = this.#nowMs();
    const seconds = (nowMs - this.#atMs) / 1000;
    this.#atMs = nowMs;
    this.#points = Math.min(uselessPoints.atOnce, this.#points + seconds * uselessPoints.perSecond);
    this.#requests = Math.min(maxRequestsAtOnce, this.#requests + seconds);
  }
}

function mediaUnits(bytes: number): number {
  return 1 + Math.min(maxMediaUnits, bytes >>> 14);
}

/** `onMetaData` or `@setDataFrame`, by length and first letters. */
function isMetadata(type: number, payload: Buffer): boolean {
  const at = type === MessageType.DataAmf3 ? 1 : 0;
  if (payload[at] !== 2 || payload[at + 1] !== 0) return false;
  const name = payload[at + 2]!;
  // "on", "@s"
  return (name === 10 && payload[at + 3] === 0x6f) || (name === 13 && payload[at + 3] === 0x40);
}
