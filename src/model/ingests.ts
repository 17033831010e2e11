import { ConflictError, InputError, NotFoundError } from '../errors.js';
import { type Camera, type CameraIngest, mainIngest } from './model.js';
import { checkName } from './rules.js';
import { checkSource, type SourceInput, sourceOf } from './sources.js';

/*
 * The ingests of a camera, and what happens when none is left. A list of one is the same as none, but for its name.
 */

/** What is said of the ingests of a camera. Undefined and null: nothing, there is none. */
export interface StandbyInput {
  /** In the order in which they are preferred; a name stands for an ingest of this name. */
  readonly ingests?:
    | readonly (string | { readonly name: string; readonly source?: SourceInput | null | undefined })[]
    | null
    | undefined;
  readonly source?: SourceInput | null | undefined;
  readonly switchBackSeconds?: number | null | undefined;
  readonly slate?: string | null | undefined;
  readonly slateSeconds?: number | null | undefined;
}

/** The facts of a camera about its ingests. */
export type StandbyFacts = Pick<Camera, 'ingests' | 'source' | 'switchBackSeconds' | 'slate' | 'slateSeconds'>;

/** For how long a slate is shown by default, seconds. */
export const defaultSlateSeconds = 60;

/** Names that events and metrics use for sources that are not ingests of a camera. */
const reserved: ReadonlySet<string> = new Set(['slate', 'test-pattern']);

/** The names of a camera's ingests, in the order in which they are preferred. */
export function ingestNames(camera: Pick<Camera, 'ingests'>): readonly string[] {
  return camera.ingests?.map(({ name }) => name) ?? [mainIngest];
}

/**
 * What is said, as facts of a camera. An ingest that the camera has keeps its keys, and its source where none is given.
 * @throws InputError INVALID_NAME, INVALID_REQUEST
 */
export function standbyFacts(input: StandbyInput, known: Pick<Camera, 'ingests'> | undefined): StandbyFacts {
  const { source, switchBackSeconds, slate, slateSeconds } = input;
  const ingests = input.ingests?.map((each): CameraIngest => {
    const { name, source } = typeof each === 'string' ? { name: each, source: undefined } : each;
    const before = known?.ingests?.find((ingest) => ingest.name === name) ?? { name };
    if (source === undefined) return before;
    const { source: _, ...others } = before;
    return source === null ? others : { ...others, source: sourceOf(source) };
  });
  const facts = {
    ...(ingests === undefined ? {} : { ingests }),
    ...(source == null ? {} : { source: sourceOf(source) }),
    ...(switchBackSeconds == null ? {} : { switchBackSeconds }),
    ...(slate == null ? {} : { slate }),
    ...(slateSeconds == null ? {} : { slateSeconds }),
  };
  checkStandby(facts);
  return facts;
}

/** The facts of a camera alone. */
export function standbyOf({ ingests, source, switchBackSeconds, slate, slateSeconds }: StandbyFacts): StandbyFacts {
  return {
    ...(ingests === undefined ? {} : { ingests }),
    ...(source === undefined ? {} : { source }),
    ...(switchBackSeconds === undefined ? {} : { switchBackSeconds }),
    ...(slate === undefined ? {} : { slate }),
    ...(slateSeconds === undefined ? {} : { slateSeconds }),
  };
}

/**
 * The rules that a schema cannot say.
 * @throws InputError INVALID_NAME, INVALID_REQUEST, INVALID_ADDRESS
 */
export function checkStandby({ ingests = [], slate, slateSeconds, source }: StandbyFacts): void {
  const seen = new Map<string, number>();
  if (source !== undefined) {
    checkSource('source', source);
    if (ingests.length > 0) {
      const rule = 'each of "ingests" has a source of its own; give it there';
      throw new InputError('INVALID_REQUEST', `source: ${rule}`, { field: 'source' });
    }
  }
  for (const [index, { name, source: own }] of ingests.entries()) {
    const field = `ingests.${index}`;
    checkName(field, name);
    if (reserved.has(name)) {
      throw new InputError('INVALID_NAME', `${field}: "${name}" is reserved; use another name`, {
        field,
      });
    }
    if (own !== undefined) checkSource(`${field}.source`, own);
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

/** What is fetched for a camera, by the field that says so. */
export function sourcesOf({ ingests = [], source }: StandbyFacts): { readonly field: string; readonly url: string }[] {
  const own = source === undefined ? [] : [{ field: 'source', url: source.url }];
  const others = ingests.flatMap(({ source: each }, index) =>
    each === undefined ? [] : [{ field: `ingests.${index}.source`, url: each.url }],
  );
  return [...own, ...others];
}

/** True for a camera that only a backend that can switch is able to serve. */
function needsStandby({ ingests = [], slate }: StandbyFacts): boolean {
  return ingests.length > 1 || slate !== undefined || (ingests[0]?.name ?? mainIngest) !== mainIngest;
}

/**
 * @param kind the name of a media backend that cannot switch between ingests; null: it can
 * @throws ConflictError STANDBY_UNSUPPORTED, SOURCE_UNSUPPORTED
 */
export function checkStandbySupported(facts: StandbyFacts, kind: string | null): void {
  if (kind === null) return;
  const [pulled] = sourcesOf(facts);
  if (pulled !== undefined) {
    const rule = `the media backend ${kind} pulls no sources; use --backend native`;
    throw new ConflictError('SOURCE_UNSUPPORTED', `${pulled.field}: ${rule}`, { field: pulled.field });
  }
  if (!needsStandby(facts)) return;
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
