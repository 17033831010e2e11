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
   * Has it feed a registered camera; resolves when it does. A pattern that runs goes on.
   * @throws ConflictError LIMIT_REACHED; CodedError FLV_INVALID, TARGET_PUBLISH_REJECTED when it is refused
   */
  start(camera: string): Promise<{ readonly created: boolean; readonly view: TestPatternView }>;
  /** Ends it. False: there was none. */
  stop(camera: string): Promise<boolean>;
}
