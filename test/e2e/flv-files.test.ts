import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { isHeader, openTagSource, type Tag } from '../../src/ingest/tag-source.js';
import { readFlvTags } from '../support/flv-file.js';
import { packetsOf } from '../support/packets.js';
import { testWith } from '../support/peers.js';
import { testScope } from '../support/scope.js';

const clip = new URL('../../samples/clip.flv', import.meta.url).pathname;

/** Hashes of the frames, as `framemd5` has them: behind the header of FLV. */
async function framesOf(file: string, type: 8 | 9): Promise<string[]> {
  const tags: Tag[] = [];
  const source = await openTagSource(file);
  for await (const batch of source.pass()) tags.push(...batch);
  const frames = tags.filter((tag) => tag.type === type && !isHeader(tag) && tag.payload.length > 5);
  return frames.map(({ payload }) =>
    createHash('md5')
      .update(payload.subarray(type === 9 ? 5 : 2))
      .digest('hex'),
  );
}

testWith('ffmpeg')('broken files are read as ffmpeg reads them', async (context) => {
  const folder = testScope(context).temporaryFolder();
  const clean = readFileSync(clip);
  const tags = readFlvTags(clip);
  const ends: number[] = [];
  let end = 13;
  for (const { payload } of tags) {
    end += payload.length + 15;
    ends.push(end);
  }
  const at = ends[Math.floor(ends.length / 2)] ?? 0;
  const insert = (bytes: Buffer): Buffer => Buffer.concat([clean.subarray(0, at), bytes, clean.subarray(at)]);
  const change = (change: (copy: Buffer) => void): Buffer => {
    const copy = Buffer.from(clean);
    change(copy);
    return copy;
  };
  const variants: Record<string, Buffer> = {
    clean,
    'zeros at the end': Buffer.concat([clean, Buffer.alloc(10_000)]),
    'junk at the end': Buffer.concat([clean, Buffer.alloc(5000, 0x5a)]),
    'junk between tags': insert(Buffer.alloc(2000, 0xa5)),
    'zeros between tags': insert(Buffer.alloc(2000)),
    'a cut end': clean.subarray(0, at + 9),
    'flags that lie': change((copy) => copy.writeUInt8(0, 4)),
    'unknown tag': insert(Buffer.from('0f000003000000000000000aabbcc0000000e'.padEnd(36, '0'), 'hex')),
    'all sizes without their header': change((copy) => {
      for (const [index, each] of ends.entries()) copy.writeUInt32BE(tags[index]?.payload.length ?? 0, each - 4);
    }),
  };
  for (const [name, content] of Object.entries(variants)) {
    const file = join(folder, 'x.flv');
    writeFileSync(file, content);
    const packets = await packetsOf(file);
    for (const [type, kind] of [
      [9, 'video'],
      [8, 'audio'],
    ] as const) {
      const theirs = packets.filter((packet) => packet.kind === kind).map(({ hash }) => hash);
      expect(theirs.length, name).toBeGreaterThan(20);
      const ours = await framesOf(file, type);
      // Nothing that ffmpeg plays is missing, and nothing is sent twice.
      expect(
        theirs.filter((hash) => !ours.includes(hash)),
        `${name}: ${kind}`,
      ).toEqual([]);
      expect(ours.length, `${name}: ${kind}`).toBeGreaterThanOrEqual(theirs.length);
      expect(ours.length, `${name}: ${kind}`).toBeLessThanOrEqual(tags.filter((tag) => tag.type === type).length);
    }
  }
});
