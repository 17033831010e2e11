import { randomBytes } from 'node:crypto';
import { WireError } from '../errors.js';
import { type DigestScheme, findDigest, packetBytes, type Side, signFirst, signSecond } from './handshake-digest.js';

export interface HandshakeResult {
  /** Bytes to send now. */
  reply: Buffer | null;
  done: boolean;
  /** When done: the bytes behind the handshake, which are for the chunk reader. Else empty. */
  rest: Buffer;
}

const rtmpVersion = 3;
const empty = Buffer.alloc(0);

/** Says "digest" to those who look at the version instead of searching for one: any value but 0 does. */
const clientVersion = Buffer.from([10, 0, 32, 18]);
const serverVersion = Buffer.from([4, 5, 0, 1]);

function checkVersion(version: number): void {
  if (version === rtmpVersion) {
    return;
  }
  const meaning =
    version === 6 || version === 8
      ? 'which asks for encryption (RTMPE), and that is not spoken here; use rtmp or rtmps'
      : version >= 0x20
        ? 'which is no RTMP at all'
        : 'which is not spoken here';
  throw new WireError(
    'RTMP_HANDSHAKE',
    `The handshake begins with version ${version}, ${meaning}; RTMP has ${rtmpVersion}.`,
  );
}

/** A C1 or S1: time, version and random bytes; with a digest in it where a scheme is given. */
function createFirst(version: Buffer, scheme: DigestScheme | null, side: Side): Buffer {
  const packet = randomBytes(packetBytes);
  packet.writeUInt32BE(0, 0);
  if (scheme === null) {
    packet.writeUInt32BE(0, 4);
  } else {
    version.copy(packet, 4);
    signFirst(packet, scheme, side);
  }
  return packet;
}

/**
 * The answer to the peer's C1 or S1: with a digest if that had one, else an echo (RTMP 1.0, 5.2.4). The echo is exact,
 * as nginx-rtmp, ffmpeg and librtmp send it and some compare it; the specification would have a time in bytes 4 to 7.
 */
function createSecond(first: Buffer, digest: Buffer | null, side: Side): Buffer {
  if (digest === null) {
    return Buffer.from(first);
  }
  const packet = randomBytes(packetBytes);
  signSecond(packet, digest, side);
  return packet;
}

/** What both sides do with the peer's bytes: a version, a first packet that is answered, a second that is awaited. */
class Exchange {
  #stage: 'version' | 'first' | 'second' | 'done' = 'version';
  #packet = empty;
  #have = 0;
  readonly #answer: (first: Buffer) => Buffer;

  constructor(answer: (first: Buffer) => Buffer) {
    this.#answer = answer;
  }

  receive(data: Buffer): HandshakeResult {
    let rest = data;
    let reply: Buffer | null = null;
    if (this.#stage === 'version' && rest.length > 0) {
      checkVersion(rest[0]!);
      rest = rest.subarray(1);
      this.#packet = Buffer.allocUnsafe(packetBytes);
      this.#stage = 'first';
    }
    if (this.#stage === 'first') {
      rest = this.#gather(rest);
      if (this.#have === packetBytes) {
        reply = this.#answer(this.#packet);
        this.#have = 0;
        this.#stage = 'second';
      }
    }
    if (this.#stage === 'second') {
      rest = this.#gather(rest);
      if (this.#have === packetBytes) {
        this.#packet = empty;
        this.#stage = 'done';
      }
    }
    const done = this.#stage === 'done';
    return { reply, done, rest: done ? rest : empty };
  }

  /** Takes what the packet still needs and returns the rest. */
  #gather(data: Buffer): Buffer {
    const bytes = Math.min(data.length, packetBytes - this.#have);
    data.copy(this.#packet, this.#have, 0, bytes);
    this.#have += bytes;
    return data.subarray(bytes);
  }
}

/**
 * The handshake of a server (RTMP 1.0, 5.2), plain and with digests.
 *
 * A client that sent a digest is answered with digests of the same scheme, any other one with plain bytes. S0, S1 and
 * S2 leave together as soon as C1 is there. What C2 holds is not checked: many clients fill it with anything, and
 * nothing depends on it.
 *
 *     waiting for C0 C1  --reply S0 S1 S2-->  waiting for C2  -->  done
 */
export class ServerHandshake {
  readonly #exchange = new Exchange(answerC1);

  /**
   * Takes the client's bytes, split in any way. When `done`, `rest` and all later bytes are for the chunk reader.
   *
   * @throws WireError RTMP_HANDSHAKE at the first byte, when it is not version 3
   */
  receive(data: Buffer): HandshakeResult {
    return this.#exchange.receive(data);
  }
}

function answerC1(c1: Buffer): Buffer {
  // A client without digests leaves the version 0, which spares us the search.
  const found = c1.readUInt32BE(4) === 0 ? null : findDigest(c1, 'client');
  return Buffer.concat([
    Buffer.from([rtmpVersion]),
    createFirst(serverVersion, found?.scheme ?? null, 'server'),
    createSecond(c1, found?.digest ?? null, 'server'),
  ]);
}

export interface ClientHandshakeOptions {
  /** Where C1 holds its digest; null for a plain C1. 0 by default, as with ffmpeg. */
  scheme?: DigestScheme | null;
}

/**
 * The handshake of a client (RTMP 1.0, 5.2).
 *
 * C1 holds a digest, without which some servers offer no H.264; to all others it is a correct plain C1. S1 decides how
 * it goes on: C2 answers a digest with a digest, and a plain S1 with its echo. C2 leaves as soon as S1 is there, since
 * a server may wait for it before it sends S2. What S2 holds is not checked: servers differ in it, and nothing depends
 * on it.
 *
 *     start: C0 C1  -->  waiting for S0 S1  --reply C2-->  waiting for S2  -->  done
 */
export class ClientHandshake {
  readonly #scheme: DigestScheme | null;
  readonly #exchange: Exchange;

  constructor(options: ClientHandshakeOptions = {}) {
    this.#scheme = options.scheme === undefined ? 0 : options.scheme;
    this.#exchange = new Exchange((s1) => this.#answerS1(s1));
  }

  /** C0 and C1, to be sent first. */
  start(): Buffer {
    return Buffer.concat([Buffer.from([rtmpVersion]), createFirst(clientVersion, this.#scheme, 'client')]);
  }

  /**
   * Takes the server's bytes, split in any way. When `done`, `rest` and all later bytes are for the chunk reader.
   *
   * @throws WireError RTMP_HANDSHAKE at the first byte, when it is not version 3
   */
  receive(data: Buffer): HandshakeResult {
    return this.#exchange.receive(data);
  }

  #answerS1(s1: Buffer): Buffer {
    // After a plain C1 a digest in S1 would mean nothing.
    const found = this.#scheme === null ? null : findDigest(s1, 'server');
    return createSecond(s1, found?.digest ?? null, 'client');
  }
}
