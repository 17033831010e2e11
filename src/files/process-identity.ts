import { readFileSync, readlinkSync } from 'node:fs';

/**
 * What makes a pid unique: `BOOT/NAMESPACE/START`. START is field 22 of /proc/PID/stat (proc(5)), counted after the name
 * in parentheses. Empty where there is no /proc, or no such process.
 */
export function processIdentity(pid: number | 'self'): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const namespace = readlinkSync('/proc/self/ns/pid');
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return `${boot}/${namespace}/${fields.slice(fields.lastIndexOf(')') + 2).split(' ')[19] ?? ''}`;
  } catch {
    return '';
  }
}

/** The boot and the namespace of an identity: pids can be compared only within them. */
export function namespaceOf(identity: string): string {
  return identity.slice(0, Math.max(0, identity.lastIndexOf('/')));
}

/** True when there is a process with this pid; whose it is does not matter. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
