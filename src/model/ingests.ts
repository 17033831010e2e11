import { ConflictError, InputError, NotFoundError } from '../errors.js';
import { type Camera, type CameraIngest, mainIngest } from './model.js';
import { checkName } from './rules.js';

/*
 * The ingests of a camera, and what happens when none is left. A list of one is the same as none, but for its name.
 */

/** What is said of the ingests of a camera. Undefined and null: nothing, there is none. */
export interface StandbyInput {
  /** In the order in which they are preferred; a name stands for an ingest of this name. */
  readonly ingests?: readonly (string | { readonly name: string })[] | null | undefined;
  readonly switchBackSeconds?: number | null | undefined;
  readonly slate?: string | null | undefined;
  readonly slateSeconds?: number | null | undefined;
}

/** The facts of a camera about its ingests. */
export type StandbyFacts = Pick<Camera, 'ingests' | 'switchBackSeconds' | 'slate' | 'slateSeconds'>;

/** The built-in slate; any other is the name of a file. */
export const builtInSlate = 'built-in';

/** For how long a slate is shown where nobody says it, seconds. */
export const defaultSlateSeconds = 60;

/** Names that events and metrics have for what is none of a camera's ingests. */
const reserved: ReadonlySet<string> = new Set(['slate', 'test-pattern']);

/** The names of a camera's ingests, in the order in which they are preferred. */
export function ingestNames(camera: Pick<Camera, 'ingests'>): readonly string[] {
  return camera.ingests?.map(({ name }) => name) ?? [mainIngest];
}

/**
 * What is said, as facts of a camera. An ingest that the camera has keeps its keys.
 * @throws InputError INVALID_NAME, INVALID_REQUEST
 */
export function standbyFacts(input: StandbyInput, known: Pick<Camera, 'ingests'> | undefined): StandbyFacts {
  const { switchBackSeconds, slate, slateSeconds } = input;
  const ingests = input.ingests?.map((each): CameraIngest => {
    const name = typeof each === 'string' ? each : each.name;
    return known?.ingests?.find((ingest) => ingest.name === name) ?? { name };
  });
  const facts = {
    ...(ingests === undefined ? {} : { ingests }),
    ...(switchBackSeconds == null ? {} : { switchBackSeconds }),
    ...(slate == null ? {} : { slate }),
    ...(slateSeconds == null ? {} : { slateSeconds }),
  };
  checkStandby(facts);
  return facts;
}

/** The facts of a camera alone. */
export function standbyOf({ ingests, switchBackSeconds, slate, slateSeconds }: StandbyFacts): StandbyFacts {
  return {
    ...(ingests === undefined ? {} : { ingests }),
    ...(switchBackSeconds === undefined ? {} : { switchBackSeconds }),
    ...(slate === undefined ? {} : { slate }),
    ...(slateSeconds === undefined ? {} : { slateSeconds }),
  };
}

/**
 * The rules that a schema cannot say.
 * @throws InputError INVALID_NAME, INVALID_REQUEST
 */
export function checkStandby({ ingests = [], slate, slateSeconds }: StandbyFacts): void {
  const seen = new Map<string, number>();
  for (const [index, { name }] of ingests.entries()) {
    const field = `ingests.${index}`;
    checkName(field, name);
    if (reserved.has(name)) {
      throw new InputError('INVALID_NAME', `${field}: "${name}" stands for something else; take another name`, {
        field,
      });
    }
    const other = seen.get(name);
    if (other !== undefined) {
      const rule = `"${name}" is the name of ingests.${other} too; each has a name of its own`;
      throw new InputError('INVALID_REQUEST', `${field}: ${rule}`, { field });
    }
    seen.set(name, index);
  }
  if (slateSeconds !== undefined && slate === undefined) {
    const rule = 'says how long a slate is shown, and "slate" names none; give both or neither';
    throw new InputError('INVALID_REQUEST', `slateSeconds: ${rule}`, { field: 'slateSeconds' });
  }
}

/** True for a camera that only a backend that can switch is able to serve. */
function needsStandby({ ingests = [], slate }: StandbyFacts): boolean {
  return ingests.length > 1 || slate !== undefined || (ingests[0]?.name ?? mainIngest) !== mainIngest;
}

/**
 * @param kind the name of a media backend that cannot switch between ingests; null: it can
 * @throws ConflictError STANDBY_UNSUPPORTED
 */
export function checkStandbySupported(facts: StandbyFacts, kind: string | null): void {
  if (kind === null || !needsStandby(facts)) return;
  const field = (facts.ingests?.length ?? 0) > 0 ? 'ingests' : 'slate';
  const rule = `the media backend ${kind} has one publisher for a camera and no slates; use --backend native`;
  throw new ConflictError('STANDBY_UNSUPPORTED', `${field}: ${rule}`, { field });
}

/** @throws NotFoundError INGEST_NOT_FOUND */
export function checkIngestOf(camera: Camera, ingest: string): void {
  const names = ingestNames(camera);
  if (names.includes(ingest)) return;
  const shown = names.map((name) => `"${name}"`).join(', ');
  throw new NotFoundError('INGEST_NOT_FOUND', `camera "${camera.name}" has no ingest "${ingest}"; it has: ${shown}`, {
    field: 'ingest',
  });
}
