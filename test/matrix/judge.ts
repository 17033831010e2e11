import type { ReadStream } from './ffmpeg8.js';

export interface Demands {
  /** `all`: each track. `default`: the first of each kind. */
  readonly tracks: 'all' | 'default';
  /** True: from the very first packet on. */
  readonly fromStart: boolean;
  /** True: frames were dropped, and each track goes on at a key frame. */
  readonly withGap: boolean;
}

/**
 * What one way made of a stream: the packets bit for bit, of video from a key frame on, and all of them decoded.
 * @param sent what FFmpeg 8 reads of the publisher's own FLV
 * @throws Error that says what is wrong
 */
export function judge(sent: readonly ReadStream[], got: readonly ReadStream[], demands: Demands): string {
  const wanted =
    demands.tracks === 'all' ? sent : sent.filter(({ kind }, i) => sent.findIndex((each) => each.kind === kind) === i);
  if (got.length !== wanted.length) throw new Error(`${got.length} tracks came of ${wanted.length}`);
  const left = new Set(got);
  let gaps = 0;
  for (const stream of wanted) {
    const name = `${stream.kind} (${stream.codec})`;
    const own = new Set(stream.packets);
    const copy = [...left].find(({ kind, packets }) => kind === stream.kind && own.has(packets.at(-1) ?? ''));
    if (copy === undefined) throw new Error(`${name}: nothing of it came`);
    left.delete(copy);
    gaps += judgeTrack(name, stream, copy, demands);
  }
  if (demands.withGap && gaps === 0) throw new Error('nothing was dropped: the line was not slow enough');
  if (demands.withGap) return 'resumes whole';
  return wanted.length === sent.length ? 'whole' : 'default tracks, whole';
}

/** Where in what was sent a run of packets is, behind a place; -1: nowhere. Single packets may be equal to others. */
function find(sent: readonly string[], copy: readonly string[], at: number, behind: number): number {
  const run = copy.slice(at, at + 6);
  for (let place = behind + 1; place < sent.length; place++) {
    if (run.every((hash, i) => place + i >= sent.length || sent[place + i] === hash)) return place;
  }
  return sent.indexOf(copy[at] ?? '', behind + 1);
}

/** Returns how often packets were left out. */
function judgeTrack(name: string, sent: ReadStream, copy: ReadStream, { fromStart, withGap }: Demands): number {
  const keys = new Set(sent.keys);
  let gaps = 0;
  let place = -1;
  for (const [at, hash] of copy.packets.entries()) {
    const before = place;
    place = sent.packets[before + 1] === hash && at > 0 ? before + 1 : find(sent.packets, copy.packets, at, before);
    if (place < 0) throw new Error(`${name}: packet ${at} is not as it was sent`);
    if (at > 0 && place === before + 1) continue;
    if (at > 0) gaps++;
    if (sent.kind === 'video' && !keys.has(place)) throw new Error(`${name}: goes on at packet ${place}, no key frame`);
    // Sound that comes before the first picture is not sent.
    if (at === 0 && fromStart && place > sent.beforePicture) throw new Error(`${name}: begins at packet ${place}`);
  }
  if (gaps > 0 && !withGap) throw new Error(`${name}: ${gaps} gaps`);
  if (place !== sent.packets.length - 1) throw new Error(`${name}: ends at ${place} of ${sent.packets.length}`);
  if (copy.codec !== sent.codec) throw new Error(`${name}: it is called ${copy.codec}`);
  if (copy.errors.length > 0) throw new Error(`${name}: ${copy.errors.length} errors, ${copy.errors[0]}`);
  if (sent.errors.length > 0) throw new Error(`${name}: what is sent has errors: ${sent.errors[0]}`);
  // A decoder may hold back, or make nothing of, as many packets as it did of the whole.
  const unshown = sent.packets.length - sent.frames;
  if (copy.packets.length - copy.frames > unshown) {
    throw new Error(`${name}: ${copy.frames} frames decoded of ${copy.packets.length} packets`);
  }
  if (`${copy.size}` !== `${sent.size}` || copy.channels !== sent.channels) {
    throw new Error(`${name}: ${copy.size ?? copy.channels} instead of ${sent.size ?? sent.channels}`);
  }
  return gaps;
}
