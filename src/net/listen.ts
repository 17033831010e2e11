import type { Server } from 'node:net';
import { CodedError } from '../errors.js';
import type { Logger } from '../log/log.js';
import { watchAccepts } from '../process/accept-errors.js';

/** Opens a listener; later failures are logged. @throws CodedError ADDRESS_IN_USE, INVALID_ADDRESS */
export function listenOn(
  server: Server,
  host: string,
  port: number,
  log: Logger,
): Promise<{ host: string; port: number }> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => reject(listenError(error, host, port));
    server.once('error', onError);
    server.listen({ host, port, backlog: 511 }, () => {
      server.off('error', onError);
      watchAccepts(server, 'the RTMP listener', log);
      const address = server.address();
      resolve({ host, port: typeof address === 'object' && address !== null ? address.port : port });
    });
  });
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): CodedError {
  if (error.code === 'EADDRINUSE') {
    return new CodedError('ADDRESS_IN_USE', `port ${port} on ${host} is in use by another program`, { cause: error });
  }
  if (error.code === 'EACCES') {
    return new CodedError('INVALID_ADDRESS', `port ${port} needs more rights than this process has`, { cause: error });
  }
  return new CodedError('INVALID_ADDRESS', `cannot listen on ${host}:${port}: ${error.code ?? error.message}`, {
    cause: error,
  });
}
