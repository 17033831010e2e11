import { describe, expect, test } from 'vitest';
import { readHevcConfig } from '../../src/wire/hevc.js';
import { HevcSets } from '../../src/wire/hevc-sets.js';

/** The HEVCDecoderConfigurationRecord of x265 for two sizes, without its SEI. */
const records = {
  small:
    '0101600000009000000000003cf000fcfdf8f800000f03a00001001840010c01ffff01600000030090000003000003003c959409a10001002b42010101600000030090000003000003003ca00a080c1f3e595952930bc05a020000030002000003003210a2000100064401c073c189',
  large:
    '0101600000009000000000003ff000fcfdf8f800000f03a00001001840010c01ffff01600000030090000003000003003f959409a10001002b42010101600000030090000003000003003fa005020171f2e595952930bc05a02000000300200000030321a2000100064401c073c189',
};

const record = (size: keyof typeof records): Buffer => Buffer.from(records[size], 'hex');
const header = (size: keyof typeof records): Buffer =>
  Buffer.concat([Buffer.from([0x90]), Buffer.from('hvc1'), record(size)]);

/** The sets of a record, as they stand in a frame, before a picture. */
function keyFrame(size: keyof typeof records): Buffer {
  const data = record(size);
  const units: Buffer[] = [];
  let at = 23;
  for (let arrays = data[22] ?? 0; arrays > 0; arrays--) {
    const length = data.readUInt16BE(at + 3);
    units.push(data.subarray(at + 5, at + 5 + length));
    at += 5 + length;
  }
  units.push(Buffer.from([0x26, 1, 0xaf, 0x10]));
  const body = units.flatMap((unit) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(unit.length);
    return [length, unit];
  });
  return Buffer.concat([Buffer.from([0x93]), Buffer.from('hvc1'), ...body]);
}

describe('parameter sets of H.265 within the stream', () => {
  test('make a new header when they change, and none while they stay', () => {
    const sets = new HevcSets();
    expect(sets.headerBefore(keyFrame('small'))).toBeNull();
    expect(sets.headerBefore(header('small'))).toBeNull();
    expect(sets.headerBefore(keyFrame('small'))).toBeNull();
    const changed = sets.headerBefore(keyFrame('large'));
    expect(changed?.equals(header('large'))).toBe(true);
    expect(readHevcConfig(changed!, 5)?.size).toEqual({ width: 640, height: 360 });
    expect(sets.headerBefore(keyFrame('large'))).toBeNull();
    expect(sets.headerBefore(keyFrame('small'))?.equals(header('small'))).toBe(true);
  });

  test('are not made of what is cut, or of another codec', () => {
    for (let length = 0; length < header('small').length; length++) {
      const sets = new HevcSets();
      sets.headerBefore(header('small').subarray(0, length));
      expect(sets.headerBefore(keyFrame('large'))).toBeNull();
    }
    const whole = keyFrame('large');
    for (let length = 0; length < whole.length; length++) {
      const sets = new HevcSets();
      sets.headerBefore(header('small'));
      sets.headerBefore(whole.subarray(0, length));
    }
    const sets = new HevcSets();
    sets.headerBefore(header('small'));
    const other = Buffer.from(whole);
    other.write('av01', 1);
    expect(sets.headerBefore(other)).toBeNull();
  });
});
