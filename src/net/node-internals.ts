import { writesDirectly } from './direct-write.js';
import { takesHandles } from './shared-read.js';

/**
 * What this version of Node.js does not offer of that on which the faster ways of sockets lean (`socket-mode: auto`), in
 * words. All of it works without them, by Node's documented streams, at the cost of more CPU time.
 */
export function missingInternals(): readonly string[] {
  return [
    ...(takesHandles ? [] : ['reading into one buffer for all connections']),
    ...(writesDirectly ? [] : ['writing past its streams']),
  ];
}
