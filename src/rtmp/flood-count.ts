/** Number of connections of this process that were ended for floods of useless messages; for the metrics. */
export const floods = {
  /** Cameras, viewers and other clients: `RTMP_FLOOD`. */
  ended: 0,
  /** Targets: `TARGET_FLOOD`. */
  targetsEnded: 0,
};
