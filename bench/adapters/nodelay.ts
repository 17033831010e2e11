import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../paths.js';
import type { Adapter } from './adapter.js';

/** Built by the first that needs it. A text says why there is none. */
let library: { readonly file: string } | { readonly missing: string } | undefined;

function build(): { readonly file: string } | { readonly missing: string } {
  const folder = mkdtempSync(join(tmpdir(), 'aggregator-bench-nodelay-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'nodelay.so');
  const args = ['-O2', '-shared', '-fPIC', '-o', file, join(root, 'bench/adapters/nodelay.c'), '-ldl'];
  const { status, error, stderr } = spawnSync('cc', args, { encoding: 'utf8' });
  return status === 0 ? { file } : { missing: `needs a C compiler, cc: ${error?.message ?? stderr}` };
}

/**
 * The same server with TCP_NODELAY forced upon all its connections, by a library that is preloaded: what it costs at a
 * latency like ours. Its name ends in `+nodelay`.
 */
export function withNoDelay(adapter: Adapter): Adapter {
  return {
    name: `${adapter.name}+nodelay`,
    unavailable: () => {
      library ??= build();
      return 'missing' in library ? library.missing : adapter.unavailable();
    },
    start: (folder, cameras) => {
      library ??= build();
      if ('missing' in library) throw new Error(library.missing);
      return adapter.start(folder, cameras, { LD_PRELOAD: library.file });
    },
  };
}
