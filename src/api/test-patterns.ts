/** A sample clip that is published as a camera, over and over. */
export interface TestPatternView {
  readonly camera: string;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  /** When it ends by itself: ISO 8601, UTC. */
  readonly endsAt: string;
}

/** Whoever publishes the sample clip; the API needs no more of it. */
export interface TestPatterns {
  /** By camera. */
  list(): readonly TestPatternView[];
  /**
   * Publishes to the RTMP address of a camera; resolves when the publish was accepted. A pattern that runs goes on.
   * @param endpoint `rtmp://HOST:PORT/...` as the camera has it; only its path is used
   * @throws ConflictError LIMIT_REACHED or PUBLISH_ALREADY_LIVE; CodedError FLV_INVALID; TargetError when it is refused
   */
  start(camera: string, endpoint: string): Promise<{ readonly created: boolean; readonly view: TestPatternView }>;
  /** Ends it. False: there was none. */
  stop(camera: string): Promise<boolean>;
}
