import { describeAudio } from '../wire/audio-facts.js';
import { audioCodecName, fourCcOf } from '../wire/flv-codecs.js';

/** One audio track of a source, and what is known of it. */
export class AudioTrack {
  /** 0 to 255. */
  readonly id: number;
  /** It is the default track of its kind. */
  isDefault = false;
  /** The source said that it ends, and nothing came since. */
  isEnded = false;
  /** By its header, or where a codec has none, by its first frame; null: not known. */
  codec: string | null = null;
  /** By which it is sent; null: by a number of FLV. */
  fourCc: string | null = null;
  channels: number | null = null;
  profile: string | null = null;

  constructor(id: number) {
    this.id = id;
  }

  /** Its sequence header came, or its channel configuration. */
  noteHeader(payload: Buffer): void {
    const codec = audioCodecName(payload) ?? this.codec;
    const facts = describeAudio(payload);
    this.channels = facts.channels ?? (codec === this.codec ? this.channels : null);
    this.profile = facts.profile ?? (codec === this.codec ? this.profile : null);
    this.codec = codec;
    this.fourCc = fourCcOf(false, payload);
  }

  /** A frame came. */
  noteFrame(payload: Buffer): void {
    if (this.codec === null) {
      this.codec = audioCodecName(payload);
      this.fourCc = fourCcOf(false, payload);
    }
    if (this.channels === null) this.channels = describeAudio(payload).channels;
  }
}
