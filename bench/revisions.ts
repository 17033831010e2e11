import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { root } from './paths.js';

function execute(folder: string, command: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: folder, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed: ${error?.message ?? stderr}${stdout}`);
  return stdout.trim();
}

/** The short hash of a revision. @throws Error when git knows none of this name */
export function resolveRevision(revision: string): string {
  return execute(root, 'git', 'rev-parse', '--short', '--verify', `${revision}^{commit}`);
}

/** What is checked out, with a `+` when files below `src` differ from it. */
export function workingRevision(): string {
  try {
    return resolveRevision('HEAD') + (execute(root, 'git', 'status', '--porcelain', '--', 'src') === '' ? '' : '+');
  } catch {
    return 'unknown'; // not a checkout
  }
}

/** Builds of other revisions, each in a work tree of its own in the temporary folder. */
export class Revisions {
  readonly #folders = new Map<string, string>();

  /**
   * Builds the revision, once, and returns its `dist`. A path is that of a tree that was built before, and taken as it is.
   * @throws Error when that fails
   */
  build(revision: string): string {
    if (isAbsolute(revision)) return join(revision, 'dist');
    const hash = resolveRevision(revision);
    let folder = this.#folders.get(hash);
    if (folder === undefined) {
      folder = join(mkdtempSync(join(tmpdir(), 'aggregator-revision-')), 'tree');
      this.#folders.set(hash, folder);
      execute(root, 'git', 'worktree', 'add', '--detach', folder, hash);
      this.#install(folder);
      this.#compile(folder);
    }
    return join(folder, 'dist');
  }

  /** Removes the work trees. */
  remove(): void {
    for (const folder of this.#folders.values()) {
      spawnSync('git', ['worktree', 'remove', '--force', folder], { cwd: root, stdio: 'ignore' });
      rmSync(join(folder, '..'), { recursive: true, force: true });
    }
    this.#folders.clear();
  }

  /** A program that compiles with complaints about types is measured nevertheless. */
  #compile(folder: string): void {
    try {
      execute(folder, process.execPath, 'node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json');
    } catch (error) {
      if (!existsSync(join(folder, 'dist/cli/bin.cjs'))) throw error;
      console.error(error instanceof Error ? error.message : error);
    }
  }

  /** The packages that the revision was made with: copied when they are those of this tree, else installed. */
  #install(folder: string): void {
    const lock = (where: string): string => readFileSync(join(where, 'package-lock.json'), 'utf8');
    if (existsSync(join(root, 'node_modules')) && lock(folder) === lock(root)) {
      cpSync(join(root, 'node_modules'), join(folder, 'node_modules'), { recursive: true, verbatimSymlinks: true });
    } else {
      execute(folder, 'npm', 'ci', '--no-audit', '--no-fund', '--ignore-scripts');
    }
  }
}
