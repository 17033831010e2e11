/** A socket's error in words, for the line that says why a connection ended. */
export function describeSocketError(error: Error & { code?: string }): string {
  if (error.code === 'ECONNRESET') return 'the peer reset the connection';
  return error.code === 'EPIPE' ? 'the peer closed the connection' : `socket error ${error.code ?? error.message}`;
}
