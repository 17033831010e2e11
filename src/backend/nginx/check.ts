import { unlink, writeFile } from 'node:fs/promises';
import { parseDump } from '../../nginx-conf/dump.js';
import type { NginxBinary } from './binary.js';
import type { NginxPaths } from './files.js';
import { runProgram } from './run-program.js';
import { missingIn, type Requirements } from './structure.js';

/** What a check found. */
export type Verdict =
  | { readonly good: true }
  /** `unresolved`: the host that nginx could not resolve, when that is the reason. */
  | { readonly good: false; readonly reason: string; readonly unresolved: string | undefined };

/** With thousands of names to resolve nginx may take its time; it is killed then, and the old configuration stays. */
const checkTimeoutMs = 60_000;

let checks = 0;

/** What the master is started with besides the file, and what a check must see too: it conflicts with the same there. */
export const globalDirectives = 'daemon off;';

/**
 * Has nginx check a configuration (`nginx -T`), and looks whether it has what the aggregator needs. The content is put
 * beside the file, so that relative includes are found.
 * @throws Error of the system when the disk does not take the content
 */
export async function checkConfiguration(
  text: string,
  options: { binary: NginxBinary; paths: NginxPaths; required: Requirements },
): Promise<Verdict> {
  const { binary, paths, required } = options;
  checks += 1;
  const candidate = `${paths.conf}.candidate-${process.pid}-${checks}`;
  try {
    await writeFile(candidate, text, { mode: 0o600, flag: 'wx' });
    const log = binary.takesErrorLog ? ['-e', 'stderr'] : [];
    const args = ['-T', '-p', `${paths.folder}/`, '-c', candidate, '-g', globalDirectives, ...log];
    const { code, stdout, stderr } = await runProgram(binary.path, args, checkTimeoutMs);
    if (code !== 0) {
      const reason = reasonIn(stderr).replaceAll(candidate, paths.conf);
      const unresolved = /host not found in (?:url|upstream) "\[?([^":/\]]+)/.exec(stderr)?.[1];
      return { good: false, reason, unresolved };
    }
    const missing = missingIn(parseDump(stdout), required);
    return missing === null ? { good: true } : { good: false, reason: missing, unresolved: undefined };
  } finally {
    await unlink(candidate).catch(() => undefined);
  }
}

/** The first real complaint in what nginx wrote, without its date and process number. */
export function reasonIn(output: string): string {
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  const line = lines.find((each) => /\[(?:emerg|alert|crit)\]/.test(each)) ?? lines.at(-1) ?? 'nginx said nothing';
  return line.replace(/^.*?\[(?:emerg|alert|crit)\]\s*(?:\d+#\d+:\s*)?/, '').slice(0, 1000);
}
