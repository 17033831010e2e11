/**
 * RTMP messages as bytes in which everything can be made wrong on purpose. Written from the specification, with nothing of
 * the code under test.
 */

/** AMF0 and AMF3, value by value, as bytes. */
export const amf = {
  number: (value: number): Buffer => {
    const bytes = Buffer.alloc(9);
    bytes.writeDoubleBE(value, 1);
    return bytes;
  },
  boolean: (value: boolean): Buffer => Buffer.from([1, value ? 1 : 0]),
  string: (value: string | Buffer): Buffer => Buffer.concat([Buffer.from([2]), short(value)]),
  longString: (value: string): Buffer => Buffer.concat([Buffer.from([12]), long(value)]),
  null: (): Buffer => Buffer.from([5]),
  undefined: (): Buffer => Buffer.from([6]),
  reference: (index: number): Buffer => Buffer.from([7, index >> 8, index & 0xff]),
  date: (): Buffer => Buffer.from([11, 0x42, 0x70, 0, 0, 0, 0, 0, 0, 0, 0]),
  xml: (text: string): Buffer => Buffer.concat([Buffer.from([15]), long(text)]),
  /** Properties as `[name, value]`; `end` false leaves the end marker out. */
  object: (properties: readonly (readonly [string, Buffer])[], end = true): Buffer =>
    Buffer.concat([Buffer.from([3]), named(properties), objectEnd(end)]),
  typed: (name: string, properties: readonly (readonly [string, Buffer])[]): Buffer =>
    Buffer.concat([Buffer.from([16]), short(name), named(properties), objectEnd(true)]),
  ecma: (properties: readonly (readonly [string, Buffer])[], count = properties.length, end = true): Buffer => {
    const head = Buffer.from([8, 0, 0, 0, 0]);
    head.writeUInt32BE(count, 1);
    return Buffer.concat([head, named(properties), objectEnd(end)]);
  },
  /** An AMF3 value inside AMF0. */
  amf3: (value: Buffer): Buffer => Buffer.concat([Buffer.from([17]), value]),
  amf3String: (text: string): Buffer => Buffer.concat([Buffer.from([6]), amf3Text(text)]),
  amf3Null: (): Buffer => Buffer.from([1]),
  /** An AMF3 object without a class, all of it dynamic. */
  amf3Object: (properties: readonly (readonly [string, Buffer])[]): Buffer =>
    Buffer.concat([
      Buffer.from([10, 0x0b, 1]),
      ...properties.flatMap(([name, value]) => [amf3Text(name), value]),
      Buffer.from([1]),
    ]),
};

function short(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
}

function long(value: string): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function amf3Text(text: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length > 63) throw new Error('this writer knows short AMF3 strings only');
  return Buffer.concat([Buffer.from([(bytes.length << 1) | 1]), bytes]);
}

function named(properties: readonly (readonly [string, Buffer])[]): Buffer {
  return Buffer.concat(properties.flatMap(([name, value]) => [short(name), value]));
}

function objectEnd(there: boolean): Buffer {
  return there ? Buffer.from([0, 0, 9]) : Buffer.alloc(0);
}

export interface OddMessage {
  readonly type: number;
  readonly payload: Buffer;
  /** Of the message stream; a header of format 1 to 3 has none. */
  readonly streamId?: number;
  readonly csid?: number;
  /** The format of the first header: 0 has all, 1 no stream id, 2 the time only, 3 nothing. */
  readonly format?: 0 | 1 | 2 | 3;
  /** The timestamp, or what is added to it with formats 1 and 2. */
  readonly timeMs?: number;
}

/** One message in chunks of 128 bytes, or of another size that was announced. */
export function oddMessage(message: OddMessage, chunkBytes = 128): Buffer {
  const { type, payload, streamId = 0, csid = 4, format = 0, timeMs = 0 } = message;
  const header = Buffer.alloc(12);
  header[0] = (format << 6) | csid;
  header.writeUIntBE(timeMs, 1, 3);
  header.writeUIntBE(payload.length, 4, 3);
  header[7] = type;
  header.writeUInt32LE(streamId, 8);
  const parts: Buffer[] = [header.subarray(0, [12, 8, 4, 1][format])];
  for (let at = 0; at < payload.length; at += chunkBytes) {
    if (at > 0) parts.push(Buffer.from([0xc0 | csid]));
    parts.push(payload.subarray(at, at + chunkBytes));
  }
  return Buffer.concat(parts);
}

/** A command of type 20 on chunk stream 3. */
export function oddCommand(streamId: number, ...values: readonly Buffer[]): Buffer {
  return oddMessage({ type: 20, csid: 3, streamId, payload: Buffer.concat(values) });
}

/** A part of an aggregate. */
export function aggregatePart(type: number, timeMs: number, payload: Buffer, declared = payload.length): Buffer {
  const head = Buffer.alloc(11);
  head[0] = type;
  head.writeUIntBE(declared, 1, 3);
  head.writeUIntBE(timeMs, 4, 3);
  const size = Buffer.alloc(4);
  size.writeUInt32BE(11 + payload.length);
  return Buffer.concat([head, payload, size]);
}
