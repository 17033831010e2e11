import { describe, expect, it } from 'vitest';
import { SendTimes } from '../../src/rtmp/send-times.js';
import { TargetAcknowledgements } from '../../src/rtmp/target-acknowledgements.js';

describe('acknowledgements', () => {
  it('tell how many bytes arrived, over the wrap of the sequence number too', () => {
    const seen = new TargetAcknowledgements();
    seen.received(100, 5000, 0);
    expect(seen.acknowledgedBytes).toBe(100);
    seen.received(200, 2 ** 32 + 1000, 1);
    expect(seen.acknowledgedBytes).toBe(2 ** 32 + 200);
    seen.received(0xfffffff0, 2 ** 32 + 1000, 2);
    expect(seen.acknowledgedBytes).toBe(2 ** 32 + 200); // one that goes back proves nothing
    const other = new TargetAcknowledgements();
    other.received(0xfffffff0, 2 ** 32 + 1000, 2);
    expect(other.acknowledgedBytes).toBe(0xfffffff0);
  });

  it('measure the time there and back', () => {
    const times = new SendTimes();
    const seen = new TargetAcknowledgements(times);
    for (let i = 1; i <= 100; i++) times.note(i * 20_000, i * 100);
    seen.received(1_000_000, 2_000_000, 5030);
    expect(seen.roundTripMs).toBe(30);
  });

  it('killed healthy targets that acknowledge rarely: late is measured by their own habit', () => {
    const seen = new TargetAcknowledgements();
    // One MiB each, whatever window they were told; 65 kB/s.
    for (let i = 1; i <= 4; i++) seen.received(i << 20, (i << 20) + 60_000, i * 16_000);
    expect(seen.overdueMs((5 << 20) - 1, 79_000)).toBe(0);
    expect(seen.overdueMs(6 << 20, 95_000)).toBe(0);
    expect(seen.overdueMs(8 << 20, 130_000)).toBe(66_000);
  });

  it('of who sent only one or two prove nothing', () => {
    const seen = new TargetAcknowledgements();
    seen.received(1000, 2000, 0);
    seen.received(2000, 3000, 10);
    expect(seen.overdueMs(1 << 30, 60_000)).toBe(0);
  });

  it('that come every second are overdue soon', () => {
    const seen = new TargetAcknowledgements();
    for (let i = 1; i <= 10; i++) seen.received(i * 131_072, i * 131_072, i * 1000);
    expect(seen.overdueMs(11 * 131_072, 12_000)).toBe(0);
    expect(seen.overdueMs(20 * 131_072, 14_000)).toBe(4000);
  });
});
