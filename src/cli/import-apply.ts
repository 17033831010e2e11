import { CodedError, codeOf, messageOf } from '../errors.js';
import type { ImportPlan, PlanLine, PlannedCamera } from '../import/plan.js';
import { type ApiClient, ApiError } from './client.js';

/** What came of a camera or a push of the plan. */
export type Result =
  | { readonly kind: 'made' | 'there'; readonly id?: string }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string };

/** Changes that come together share a commit; more at once gain nothing. */
const concurrency = 16;

/**
 * Registers the cameras of a plan with their pushes. What is there already stays as it is, so a second time changes
 * nothing. What the aggregator refuses is noted and the rest goes on.
 * @returns by the plan's lines
 * @throws CodedError API_UNREACHABLE
 */
export async function applyImport(plan: ImportPlan, client: ApiClient): Promise<Map<PlanLine, Result>> {
  const results = new Map<PlanLine, Result>();
  const present = new Set((await client.cameras()).map(({ name }) => name));
  const waiting = plan.cameras[Symbol.iterator]();
  const work = async (): Promise<void> => {
    // One iterator for all workers: each takes the next camera that nobody has.
    for (const camera of { [Symbol.iterator]: () => waiting }) {
      await applyCamera(camera, { client, results, isPresent: present.has(camera.name) });
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  return results;
}

async function applyCamera(
  camera: PlannedCamera,
  context: { client: ApiClient; results: Map<PlanLine, Result>; isPresent: boolean },
): Promise<void> {
  const { client, results, isPresent } = context;
  const { name } = camera;
  // A camera that is there may have a type, which nginx knows nothing of: it is not registered again without.
  const own = isPresent ? ({ kind: 'there' } as const) : await attempt(() => client.addCamera({ name }));
  results.set(camera.line, own);
  for (const { url, line } of camera.pushes) {
    if (own.kind === 'failed') {
      results.set(line, { kind: 'failed', code: own.code, message: `camera ${name} could not be registered` });
      continue;
    }
    const result = await attempt(async () => {
      const { push, created } = await client.addPush(name, { url });
      return { created, id: push.id };
    });
    results.set(line, result);
  }
}

async function attempt(act: () => Promise<{ created: boolean; id?: string }>): Promise<Result> {
  try {
    const { created, id } = await act();
    return { kind: created ? 'made' : 'there', ...(id === undefined ? {} : { id }) };
  } catch (error) {
    if (error instanceof CodedError && error.code === 'API_UNREACHABLE') throw error;
    const code = error instanceof ApiError ? error.apiCode : codeOf(error);
    return { kind: 'failed', code, message: messageOf(error) };
  }
}
