import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';

/** Interfaces come and go, but not within this. */
const freshMs = 2000;

let known: readonly NetworkInterfaceInfo[] = [];
let knownUntilMs = Number.NEGATIVE_INFINITY;

/**
 * The addresses of this machine, at most two seconds old: the same array as long as they were not looked up anew. The
 * look-up takes 75 us, and a list of a thousand cameras wants to know a thousand times.
 */
export function machineInterfaces(): readonly NetworkInterfaceInfo[] {
  const nowMs = performance.now();
  if (nowMs > knownUntilMs) {
    known = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
    knownUntilMs = nowMs + freshMs;
  }
  return known;
}
