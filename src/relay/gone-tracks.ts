import { trackOf } from '../wire/flv.js';
import { MessageType } from '../wire/message.js';
import { endOfTrack, withoutColours } from '../wire/tracks.js';
import { type Header, headerKey } from './headers.js';
import type { StreamFeed } from './stream-feed.js';

/** A message that ends something of a source that is gone. */
export interface Farewell {
  readonly type: number;
  readonly payload: Buffer;
  readonly track: number;
}

/**
 * What those are told who got the headers of the source before, where another one has followed it: the end of tracks that it
 * does not have, and that colours of a track do not count any more that it says nothing of.
 * @param videoTracks those of the new source whose frames came
 */
export function farewells(before: readonly Header[], feed: StreamFeed, videoTracks: readonly number[]): Farewell[] {
  const now = new Map(feed.headers.map((header) => [headerKey(header.type, header.payload), header]));
  const said: Farewell[] = [];
  for (const { type, payload } of before) {
    const key = headerKey(type, payload);
    if (key === null || type === MessageType.DataAmf0 || now.has(key) || key.startsWith('audio/audio:channels'))
      continue;
    const isVideo = type === MessageType.Video;
    const track = trackOf(isVideo, payload);
    if (key.startsWith('video:metadata')) {
      const header = now.get(track === 0 ? 'video' : `video:${track}`);
      const reset = header === undefined ? null : withoutColours(header.payload);
      if (reset !== null) said.push({ type, payload: reset, track });
      continue;
    }
    // Codecs exist that need no header.
    const goesOn = isVideo ? videoTracks.includes(track) : feed.defaultAudio === track;
    const end = goesOn ? null : endOfTrack(isVideo, payload);
    if (end !== null) said.push({ type, payload: end, track });
  }
  return said;
}
