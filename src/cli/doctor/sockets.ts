import type { Settings } from '../../config/index.js';
import { prepareSockets } from '../../net/socket-way.js';
import { type Check, ok, warn } from './check.js';

/** How media would be read and written here, and why not in a better way. */
export async function checkSockets({ backend, media: { socketMode } }: Settings): Promise<Check[]> {
  if (backend !== 'native') return [];
  const name = 'sockets';
  const { mode, why } = await prepareSockets(socketMode);
  const found = `socket-mode ${socketMode}: ${mode}${why === null ? '' : ` (${why})`}`;
  if (socketMode === 'auto' || socketMode === mode) return [ok(name, found)];
  return [warn(name, found, 'See "When io_uring is used" in docs/performance.md, or set another --socket-mode.')];
}
