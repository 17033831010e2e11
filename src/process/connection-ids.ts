let next = 1;

/** Numbers the connections of this process, whatever they speak. */
export function newConnectionId(): number {
  return next++;
}
