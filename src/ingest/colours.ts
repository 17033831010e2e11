import { propertiesOf, readAmf0 } from '../wire/amf0.js';
import { type Hdr, hdrOf, videoBodyAt } from '../wire/video-facts.js';

const limits = { maxDepth: 4, maxValues: 200, maxBytes: 16 * 1024 };

/**
 * What a metadata message of a video track (Enhanced RTMP v2, "Metadata Frame") says of its range of brightness; null for a
 * usual one, and where the message says nothing of it, which resets what was said before.
 */
export function hdrOfColours(payload: Buffer): Hdr | null {
  const at = videoBodyAt(payload);
  if (at < 0) return null;
  try {
    for (let next = at; next < payload.length; ) {
      const name = readAmf0(payload, next, limits);
      if (name.end >= payload.length) return null;
      const value = readAmf0(payload, name.end, limits);
      next = value.end;
      if (name.value !== 'colorInfo') continue;
      const config = propertiesOf(propertiesOf(value.value)?.colorConfig);
      const transfer = config?.transferCharacteristics;
      return typeof transfer === 'number' ? hdrOf(transfer) : null;
    }
  } catch {
    // Malformed: it says nothing.
  }
  return null;
}
