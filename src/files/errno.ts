/** True for an error of the operating system with one of these codes (`ENOENT` ...). */
export function isErrno(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && codes.includes(error.code);
}

/** True when the disk takes nothing now and may do so later: full, over a quota, read-only, failing, or silent. */
export function isDiskTrouble(error: unknown): boolean {
  return isErrno(error, 'ENOSPC', 'EDQUOT', 'EROFS', 'EIO', 'ENOLCK', 'ESTALE', 'ETIMEDOUT');
}

/** True when a second name cannot be given here: the file system has none, or a policy of the system refuses it. */
export function hasNoHardLinks(error: unknown): boolean {
  return isErrno(error, 'EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV', 'EINVAL');
}

/** What is at a path is not a regular file: a directory, a FIFO, a device, a link to nowhere. */
export class NotAFile extends Error {
  constructor(path: string, what: string) {
    super(`${path} ${what}`);
    this.name = 'NotAFile';
  }
}
