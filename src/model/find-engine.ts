import { NotFoundError } from '../errors.js';
import type { DesiredState, StreamingEngine } from './model.js';

/** @throws NotFoundError ENGINE_NOT_FOUND */
export function getEngine(state: Pick<DesiredState, 'engines'>, name: string, field = 'name'): StreamingEngine {
  const engine = state.engines.get(name);
  if (engine === undefined) {
    throw new NotFoundError('ENGINE_NOT_FOUND', `no streaming engine "${name}" is registered`, { field });
  }
  return engine;
}
