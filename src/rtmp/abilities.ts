import type { StreamNeeds } from '../relay/stream-feed.js';
import { type AmfObject, type AmfValue, propertiesOf } from '../wire/amf0.js';

/** Bits of `capsEx` (Enhanced RTMP v2, "Enhancing NetConnection connect Command"). */
const CapsEx = { Reconnect: 1, Multitrack: 2, ModEx: 4, NanosecondOffset: 8 } as const;

/** "Can forward", of the masks in the maps of codecs. */
const canForward = 4;

/** More codecs than exist; further ones in a peer's list are ignored. */
const maxCodecs = 64;

/** What a peer said in `connect`, or in its answer, about Enhanced RTMP. */
export interface PeerAbilities {
  /** It said anything at all. */
  readonly isSaid: boolean;
  /** FourCCs that it takes; `*` for all; empty: it names none. */
  readonly videoCodecs: ReadonlySet<string>;
  readonly audioCodecs: ReadonlySet<string>;
  /**
   * Null: it says nothing about tracks. Peers of Enhanced RTMP v1 do not, and some of them accept tracks nevertheless.
   */
  readonly hasMultitrack: boolean | null;
  readonly hasReconnect: boolean;
}

export const noAbilities: PeerAbilities = {
  isSaid: false,
  videoCodecs: new Set(),
  audioCodecs: new Set(),
  hasMultitrack: null,
  hasReconnect: false,
};

/** Reads the four properties: `fourCcList` (v1), both maps and `capsEx` (v2). What is malformed counts as unsaid. */
export function abilitiesOf({ fourCcList, videoFourCcInfoMap, audioFourCcInfoMap, capsEx }: AmfObject): PeerAbilities {
  if ([fourCcList, videoFourCcInfoMap, audioFourCcInfoMap, capsEx].every((value) => value === undefined)) {
    return noAbilities;
  }
  const listed = namesIn(fourCcList);
  const caps = typeof capsEx === 'number' && Number.isInteger(capsEx) ? capsEx : null;
  return {
    isSaid: true,
    videoCodecs: new Set([...listed, ...keysOf(videoFourCcInfoMap)]),
    audioCodecs: new Set([...listed, ...keysOf(audioFourCcInfoMap)]),
    hasMultitrack: caps === null ? null : (caps & CapsEx.Multitrack) !== 0,
    hasReconnect: ((caps ?? 0) & CapsEx.Reconnect) !== 0,
  };
}

/** Any codec is passed on, on any track, with its prefixes; and publishers are asked to reconnect before a restart. */
export function ownAbilities(): AmfObject {
  return {
    fourCcList: ['*'],
    videoFourCcInfoMap: { '*': canForward },
    audioFourCcInfoMap: { '*': canForward },
    capsEx: CapsEx.Reconnect | CapsEx.Multitrack | CapsEx.ModEx | CapsEx.NanosecondOffset,
  };
}

/**
 * The fields of `connect` that announce a stream to a target. They are left out if the stream needs nothing, because
 * some services refuse fields that they do not know.
 */
export function announcementOf({ videoCodecs, audioCodecs, hasMultitrack }: StreamNeeds): AmfObject {
  if (videoCodecs.length + audioCodecs.length === 0 && !hasMultitrack) return {};
  const mapOf = (names: readonly string[]): AmfObject => Object.fromEntries(names.map((name) => [name, canForward]));
  return {
    fourCcList: [...videoCodecs, ...audioCodecs],
    ...(videoCodecs.length === 0 ? {} : { videoFourCcInfoMap: mapOf(videoCodecs) }),
    ...(audioCodecs.length === 0 ? {} : { audioFourCcInfoMap: mapOf(audioCodecs) }),
    capsEx: CapsEx.Reconnect | (hasMultitrack ? CapsEx.Multitrack : 0),
  };
}

/**
 * Which part of a stream a target does not accept, according to its own announcement. Null: it accepts everything, or
 * announces nothing, as most targets.
 */
export function shortfallOf(needs: StreamNeeds, abilities: PeerAbilities): string | null {
  if (!abilities.isSaid) return null;
  const missing = [
    ...unnamed(needs.videoCodecs, abilities.videoCodecs),
    ...unnamed(needs.audioCodecs, abilities.audioCodecs),
  ];
  if (missing.length > 0) {
    const named = [...new Set([...abilities.videoCodecs, ...abilities.audioCodecs])].join(', ');
    return `the target does not name ${missing.join(', ')} among the codecs that it takes: ${named}`;
  }
  if (needs.hasMultitrack && abilities.hasMultitrack === false) {
    return 'the target does not say that it takes several tracks: only the default ones are sent';
  }
  return null;
}

/**
 * Whether a viewer gets all tracks: it does when it speaks Enhanced RTMP, and does not say that it takes one only.
 * @param abilities undefined: it said nothing of Enhanced RTMP
 */
export function takesTracks(abilities: PeerAbilities | undefined): boolean {
  return abilities !== undefined && abilities.hasMultitrack !== false;
}

/** A target that names no codecs announces nothing about them. */
function unnamed(needed: readonly string[], named: ReadonlySet<string>): readonly string[] {
  return named.size === 0 || named.has('*') ? [] : needed.filter((codec) => !named.has(codec));
}

function namesIn(value: AmfValue): string[] {
  const values = Array.isArray(value) ? value : Object.values(propertiesOf(value) ?? {});
  return values.slice(0, maxCodecs).filter((each): each is string => typeof each === 'string' && isName(each));
}

function keysOf(value: AmfValue): string[] {
  return Object.keys(propertiesOf(value) ?? {})
    .slice(0, maxCodecs)
    .filter(isName);
}

function isName(text: string): boolean {
  return text === '*' || text.length === 4;
}
