import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** State 0A in /proc/net/tcp. */
const listening = '0A';

/**
 * Who listens on a TCP port of this machine, as `NAME (pid N)`. Only Linux tells, and of other users' programs only
 * root is told; undefined then.
 */
export function findPortHolder(port: number): string | undefined {
  const inodes = new Set([...listeningInodes('/proc/net/tcp', port), ...listeningInodes('/proc/net/tcp6', port)]);
  if (inodes.size === 0) {
    return undefined;
  }
  const pid = list('/proc').find((entry) => /^\d+$/.test(entry) && holdsOne(entry, inodes));
  if (pid === undefined) {
    return undefined;
  }
  const name = read(`/proc/${pid}/comm`).trim();
  return `${name.replace(/[^\x20-\x7e]/g, '?')} (pid ${pid})`;
}

function listeningInodes(file: string, port: number): string[] {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const inodes: string[] = [];
  for (const line of read(file).split('\n').slice(1)) {
    const fields = line.trim().split(/\s+/);
    if (fields[3] === listening && fields[1]?.endsWith(wanted) && fields[9] !== undefined) {
      inodes.push(`socket:[${fields[9]}]`);
    }
  }
  return inodes;
}

function holdsOne(pid: string, inodes: ReadonlySet<string>): boolean {
  return list(`/proc/${pid}/fd`).some((descriptor) => {
    try {
      return inodes.has(readlinkSync(`/proc/${pid}/fd/${descriptor}`));
    } catch {
      return false;
    }
  });
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
