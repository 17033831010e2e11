/** Connections of this process that were ended since they sent useless messages on and on, ever: for the metrics. */
export const floods = {
  /** Cameras, viewers and strangers: `RTMP_FLOOD`. */
  ended: 0,
  /** Targets: `TARGET_FLOOD`. */
  targetsEnded: 0,
};
