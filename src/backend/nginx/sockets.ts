import { runProgram } from './run-program.js';

/** A TCP connection of an nginx worker, with the kernel's own byte counts. */
export interface WorkerSocket {
  readonly pid: number;
  readonly localPort: number;
  /** Without brackets, and without the prefix of IPv4 addresses in IPv6. */
  readonly peerHost: string;
  readonly peerPort: number;
  readonly bytesReceived: number;
  /** What the peer has acknowledged. */
  readonly bytesAcknowledged: number;
}

/**
 * The connections of this machine, by `ss` (iproute2); undefined where there is none, or it may not look into
 * the processes. The only thing that still knows the connections of old workers.
 */
export async function readSockets(): Promise<WorkerSocket[] | undefined> {
  const { code, stdout } = await runProgram('ss', ['-tinpH', 'state', 'connected', 'exclude', 'time-wait'], 10_000);
  return code === 0 ? parseSockets(stdout) : undefined;
}

/** Reads the output of `ss -tinpH`: two lines for each connection, the second begins with white space. */
export function parseSockets(text: string): WorkerSocket[] {
  const sockets: WorkerSocket[] = [];
  let head: Omit<WorkerSocket, 'bytesReceived' | 'bytesAcknowledged'> | undefined;
  for (const line of text.split('\n')) {
    if (!/^\s/.test(line)) {
      head = parseHead(line);
    } else if (head !== undefined) {
      sockets.push({
        ...head,
        bytesReceived: Number(/ bytes_received:(\d+)/.exec(line)?.[1] ?? 0),
        bytesAcknowledged: Number(/ bytes_acked:(\d+)/.exec(line)?.[1] ?? 0),
      });
      head = undefined;
    }
  }
  return sockets;
}

const headPattern = /^\S+\s+\d+\s+\d+\s+\S+:(\d+)\s+(\S+):(\d+)\s+users:\(\("[^"]*",pid=(\d+),/;

function parseHead(line: string): Omit<WorkerSocket, 'bytesReceived' | 'bytesAcknowledged'> | undefined {
  const match = headPattern.exec(line);
  if (match === null) return undefined;
  const [, localPort, host = '', peerPort, pid] = match;
  const peerHost = host.replace(/^\[(?:::ffff:)?|\]$|%[^\]]*/g, '');
  return { pid: Number(pid), localPort: Number(localPort), peerHost, peerPort: Number(peerPort) };
}
