/** What is published, and to how many targets. */
export interface Scenario {
  readonly name: string;
  readonly cameras: number;
  readonly targetsPerCamera: number;
  /** Audio and video of one camera together, bits per second. */
  readonly bitrateBps: number;
}

const M = 1_000_000;

/** The loads that are measured, in the order of the report. */
export const scenarios: readonly Scenario[] = [
  { name: '100x1', cameras: 100, targetsPerCamera: 1, bitrateBps: 2.5 * M },
  { name: '100x8', cameras: 100, targetsPerCamera: 8, bitrateBps: 2.5 * M },
  { name: '20x8', cameras: 20, targetsPerCamera: 8, bitrateBps: 2.5 * M },
  { name: '1x100', cameras: 1, targetsPerCamera: 100, bitrateBps: 4 * M },
  { name: '500x1', cameras: 500, targetsPerCamera: 1, bitrateBps: 0.3 * M },
];

/** What CI runs: small enough for a shared machine, large enough that the cost is the media's, not the timers'. */
export const shortScenario: Scenario = { name: '20x4', cameras: 20, targetsPerCamera: 4, bitrateBps: 2.5 * M };

/**
 * A scenario by its name, or one made up as `CAMERASxTARGETS` or `CAMERASxTARGETS@MBITS`.
 * @throws RangeError when the text is neither
 */
export function findScenario(text: string): Scenario {
  const known = [...scenarios, shortScenario].find(({ name }) => name === text);
  if (known !== undefined) return known;
  const match = /^(\d{1,5})x(\d{1,4})(?:@(\d+(?:\.\d+)?))?$/.exec(text);
  const [cameras, targetsPerCamera, mbits] = [Number(match?.[1]), Number(match?.[2]), Number(match?.[3] ?? 2.5)];
  if (match === null || cameras < 1 || mbits < 0.1) {
    const names = scenarios.map(({ name }) => name).join(', ');
    throw new RangeError(
      `scenario ${JSON.stringify(text)} is unknown: there are ${names}, and any like 10x4 or 10x4@1.5`,
    );
  }
  return { name: text, cameras, targetsPerCamera, bitrateBps: mbits * M };
}
