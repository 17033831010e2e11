import { ApiProblem, type Input } from '../../../../src/client/index.js';
import { api } from '../../api/http.js';
import type { PushView } from '../../api/types.js';

/** A push, with the camera that it is of. */
export interface Chosen {
  readonly camera: string;
  readonly push: PushView;
}

/** A change that was not made, and why. */
export interface Failed {
  readonly what: string;
  readonly code: string;
  readonly message: string;
}

type Changes = Input<'batchChange'>['body']['changes'];

/** Calls at once, where there is no call for many. */
const atOnce = 6;

/** Makes many changes in one call, each for itself. @returns those that were not made @throws ApiProblem, NoAnswer */
export async function changeMany(changes: Changes): Promise<Failed[]> {
  const { body } = await api.call('batchChange', { body: { mode: 'each', changes } });
  return body.results.flatMap(({ camera = '', push = '', error }) =>
    error === undefined ? [] : [{ what: `${camera} ${push}`.trim(), code: error.code, message: error.detail }],
  );
}

/** Has many pushes try now. @returns those that could not be asked @throws NoAnswer */
export async function retryMany(chosen: readonly Chosen[]): Promise<Failed[]> {
  const left = [...chosen];
  const failed: Failed[] = [];
  const work = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const { camera, push } = next;
      try {
        await api.call('retryPush', { path: { name: camera, id: push.id } });
      } catch (error) {
        if (!(error instanceof ApiProblem)) throw error;
        failed.push({ what: `${camera} ${push.id}`, code: error.code, message: error.message });
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return failed;
}
