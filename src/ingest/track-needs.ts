import type { StreamNeeds } from '../relay/stream-feed.js';
import type { TrackChoice } from '../relay/track-choice.js';
import type { TableTrack, TrackTable } from './track-table.js';

interface Track extends TableTrack {
  readonly fourCc: string | null;
}

interface Kind {
  readonly tracks: TrackTable<Track>;
  readonly choice: TrackChoice['video'];
}

/** What is needed by those who get these tracks of a source. */
export function trackNeeds(video: Kind, audio: Kind): StreamNeeds {
  return {
    videoCodecs: codecsOf(chosenOf(video)),
    audioCodecs: codecsOf(chosenOf(audio)),
    // One that is chosen goes out unwrapped, whatever its id.
    hasMultitrack: [video, audio].some((kind) => kind.choice === 'all' && chosenOf(kind).some(({ id }) => id > 0)),
  };
}

function chosenOf({ tracks, choice }: Kind): readonly Track[] {
  if (choice === 'all') return tracks.all;
  const chosen = choice === 'default' ? tracks.leading : tracks.all.find(({ id }) => id === choice);
  return chosen == null ? [] : [chosen];
}

function codecsOf(tracks: readonly Track[]): string[] {
  return [...new Set(tracks.map(({ fourCc }) => fourCc).filter((fourCc) => fourCc !== null))];
}
