/** Follows the sequence numbers of one kind of message at one target. */
export class SequenceCount {
  /** Messages that arrived. */
  received = 0;
  /** The number that comes next; -1 before the first. */
  next = -1;
  /** Numbers that were left out. */
  missing = 0;
  /** Numbers that came again: after a reconnect, or out of order. */
  repeated = 0;

  note(sequence: number): void {
    this.received++;
    if (sequence === this.next) {
      this.next++;
    } else if (this.next < 0 || sequence > this.next) {
      if (this.next >= 0) this.missing += sequence - this.next;
      this.next = sequence + 1;
    } else {
      this.repeated++;
    }
  }

  /** Messages lost when `sent` numbers, from 0 on, were given out; those before the first that arrived do not count. */
  lost(sent: number): number {
    return this.next < 0 ? sent : this.missing + Math.max(0, sent - this.next);
  }
}

/** What a sink knows of one target. */
export class TargetCounts {
  readonly app: string;
  readonly camera: number;
  /** True when times are taken at this target. */
  readonly measures: boolean;
  readonly video = new SequenceCount();
  readonly audio = new SequenceCount();
  connections = 0;
  /** Bytes on the wire behind the handshake. */
  bytes = 0;
  messages = 0;
  payloadBytes = 0;
  /** When the first key frame was there to its end; 0 before. */
  firstPictureUs = 0;
  videoLatenciesUs: number[] = [];
  audioLatenciesUs: number[] = [];

  constructor(app: string, camera: number, measures: boolean) {
    this.app = app;
    this.camera = camera;
    this.measures = measures;
  }
}
