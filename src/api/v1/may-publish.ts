import type { Caller } from '../../access/access.js';
import { includesScope } from '../../access/scopes.js';

/** A caller with the scope `read` does not see publish keys. */
export function mayPublish(caller: Caller | null): boolean {
  return caller !== null && includesScope(caller.scope, 'operate');
}
