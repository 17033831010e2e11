/** What is remembered of one chunk stream: the last header, and the message that is being put together. */
export class ChunkStream {
  readonly csid: number;
  /** Whether a header with a length and a type has come, so that formats 2 and 3 have something to refer to. */
  opened = false;
  type = 0;
  length = 0;
  streamId = 0;
  timestampMs = 0;
  /** What a type 3 chunk that begins a message adds. */
  deltaMs = 0;
  /** Whether the last header that began a message had an extended field, and its value. */
  extended = false;
  field = 0;
  /** Whether that header was of format 0, its timestamp absolute. */
  absolute = false;
  /** Bytes received of the unfinished message; 0 between messages. */
  received = 0;
  /** Its bytes, while they are no more than a megabyte. */
  buffer: Buffer | null = null;
  /** Its bytes in pieces of a megabyte, when they are more. */
  pieces: Buffer[] | null = null;
  /** Whether that message is too large to be kept. */
  isReadPast = false;

  constructor(csid: number) {
    this.csid = csid;
  }

  /** A header begins a message of this length and type. */
  open(length: number, type: number, isReadPast: boolean): void {
    this.isReadPast = isReadPast;
    this.opened = true;
    this.length = length;
    this.type = type;
  }

  /** Applies the timestamp (format 0) or delta of a header that begins a message. */
  stamp(field: number, isAbsolute: boolean): void {
    this.absolute = isAbsolute;
    this.deltaMs = field;
    this.timestampMs = isAbsolute ? field : (this.timestampMs + field) >>> 0;
  }
}
