/** A track as its table knows it. */
export interface TableTrack {
  readonly id: number;
  readonly isEnded: boolean;
  /** It is `leading`; set by the table. */
  isDefault: boolean;
}

/** The tracks of one kind of a source, by their ids: seldom more than one. */
export class TrackTable<Track extends TableTrack> {
  readonly #make: (id: number) => Track;
  /** In the order of their ids. */
  readonly #tracks: Track[] = [];
  #last: Track | null = null;
  #leading: Track | null = null;

  constructor(make: (id: number) => Track) {
    this.#make = make;
  }

  /**
   * The default track: 0, else the lowest that was seen (Enhanced RTMP v2, on trackId) and has not ended; where all have, the
   * lowest; null before any.
   */
  get leading(): Track | null {
    return this.#leading;
  }

  /** Call when a track has ended, or goes on. True: another one is the default from now on. */
  judge(): boolean {
    const before = this.#leading;
    this.#leading = this.#tracks.find(({ isEnded }) => !isEnded) ?? this.#tracks[0] ?? null;
    if (this.#leading === before) return false;
    if (before !== null) before.isDefault = false;
    if (this.#leading !== null) this.#leading.isDefault = true;
    return true;
  }

  get all(): readonly Track[] {
    return this.#tracks;
  }

  /** The track of this id, made when it is seen first. */
  of(id: number): Track {
    const last = this.#last;
    if (last !== null && last.id === id) return last;
    let index = 0;
    while (index < this.#tracks.length && this.#tracks[index]!.id < id) index++;
    let track = this.#tracks[index];
    if (track === undefined || track.id !== id) {
      track = this.#make(id);
      this.#tracks.splice(index, 0, track);
      this.judge();
    }
    this.#last = track;
    return track;
  }
}
