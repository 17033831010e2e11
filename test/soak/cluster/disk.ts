import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** A disk of its own, with a file system that is really full when it is: an image, mounted where only this run sees it. */
export class Disk {
  /** Where it is mounted. */
  readonly folder: string;
  readonly #filler: string;

  /** @param folder where its image and its mount point are made @throws Error where mounting is not allowed */
  constructor(folder: string, name: string, megabytes: number) {
    this.folder = join(folder, name);
    this.#filler = join(this.folder, 'filler');
    const image = join(folder, `${name}.img`);
    mkdirSync(this.folder);
    writeFileSync(image, '');
    truncateSync(image, megabytes * 1024 * 1024);
    run('mkfs.ext4', '-q', '-F', '-m', '0', image);
    run('mount', '-o', 'loop', image, this.folder);
  }

  /** Leaves not a block. */
  async fill(): Promise<void> {
    for (const unit of ['64K', '4K']) {
      const script = `dd if=/dev/zero bs=${unit} oflag=append conv=notrunc,fsync of="$1" 2>&1 || true`;
      await execute('sh', ['-c', script, 'sh', this.#filler]);
    }
  }

  /** Gives the blocks of `fill` back. */
  async makeRoom(): Promise<void> {
    await rm(this.#filler, { force: true });
  }

  /** Bytes that are free. */
  async freeBytes(): Promise<number> {
    const { stdout } = await execute('stat', ['-f', '--format=%a %S', this.folder]);
    const [blocks = '', size = ''] = stdout.trim().split(' ');
    return Number(blocks) * Number(size);
  }

  unmount(): void {
    spawnSync('umount', ['-l', this.folder]);
  }
}

/** @throws Error with what it said */
function run(command: string, ...args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr}`);
}
