/** One audio track of a source, and what is known of it. */
export class AudioTrack {
  /** 0 to 255. */
  readonly id: number;
  /** By its header, or where a codec has none, by its first frame; null: not known. */
  codec: string | null = null;
  frames = 0;

  constructor(id: number) {
    this.id = id;
  }
}
