import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { missingPeers, type PeerName } from '../../scripts/peers.mjs';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the clips of this run are made. */
    clipFolder: string;
    /** Peers that are not installed; only with MEDIA_AGGREGATOR_SKIP_MISSING_PEERS set can there be any. */
    missingPeers: PeerName[];
  }
}

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Builds the program once for all end-to-end files, when it is older than its source, and makes room for the clips. */
export default function setup(project: TestProject): () => void {
  const missing = missingPeers().map(({ name }) => name);
  if (missing.length > 0 && process.env.MEDIA_AGGREGATOR_SKIP_MISSING_PEERS !== '1') {
    throw new Error(
      `peers of the end-to-end tests are missing: ${missing.join(', ')}. ` +
        'Run "npm test", which installs them, or "npm test -- --skip-missing-peers".',
    );
  }
  build();
  const clipFolder = mkdtempSync(join(tmpdir(), 'media-aggregator-clips-'));
  project.provide('clipFolder', clipFolder);
  project.provide('missingPeers', missing);
  return () => rmSync(clipFolder, { recursive: true, force: true });
}

function build(): void {
  // What the build writes last.
  const last = join(root, 'dist/web/index.html.gz');
  const configurations = ['tsconfig.json', 'tsconfig.build.json'].map((file) => join(root, file));
  const inputs = [...configurations, ...['src', 'web'].flatMap((folder) => sourceFiles(join(root, folder)))];
  const newest = Math.max(...inputs.map((file) => statSync(file).mtimeMs));
  if (existsSync(last) && statSync(last).mtimeMs >= newest) return;
  const result = spawnSync('npm', ['run', 'build', '--silent'], { cwd: root, encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`the build failed:\n${result.stdout}${result.stderr}`);
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}
