import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { CodedError } from '../../errors.js';
import { runProgram } from './run-program.js';

/** An nginx that can do RTMP. */
export interface NginxBinary {
  readonly path: string;
  readonly version: string;
  /** The file of the dynamic RTMP module; null when it is built in. */
  readonly module: string | null;
  /** The `..._temp_path` directives that it knows: those of its modules. */
  readonly temporaryPaths: readonly string[];
  /** It knows `-e FILE`: nginx 1.19.5 and later. Without, it first opens the log that it was compiled with. */
  readonly takesErrorLog: boolean;
}

/** Where distributions keep nginx is not in the PATH of ordinary users. */
const binaryFolders = ['/usr/sbin', '/usr/local/sbin', '/usr/local/nginx/sbin'];
const moduleFolders = ['/usr/lib/nginx/modules', '/usr/lib64/nginx/modules', '/usr/share/nginx/modules'];
const moduleFile = 'ngx_rtmp_module.so';

/**
 * Finds nginx and what it can do.
 * @param named the file that the operator named; undefined: the first on PATH
 * @throws CodedError NGINX_NOT_FOUND, or NGINX_UNUSABLE when it does not run or lacks the RTMP module
 */
export async function findNginx(named: string | undefined, path = process.env.PATH ?? ''): Promise<NginxBinary> {
  const file =
    named === undefined ? await search('nginx', [...path.split(delimiter), ...binaryFolders]) : resolve(named);
  if (file === undefined || !(await isExecutable(file))) {
    const where = named === undefined ? `on PATH or in ${binaryFolders.join(', ')}` : `at ${named}`;
    throw new CodedError(
      'NGINX_NOT_FOUND',
      `There is no nginx ${where}; install it (Debian: apt-get install nginx libnginx-mod-rtmp), or name it with --nginx-binary.`,
      { field: '--nginx-binary' },
    );
  }
  const { code, stderr } = await runProgram(file, ['-V'], 10_000);
  const version = /nginx version: [^/\s]+\/(\d+\.\d+\.\d+)/.exec(stderr)?.[1];
  if (code !== 0 || version === undefined) {
    throw unusable(file, `does not tell its version: ${stderr.trim().split('\n', 1)[0] ?? ''}`);
  }
  const built = /configure arguments: (.*)/.exec(stderr)?.[1] ?? '';
  return {
    path: file,
    version,
    module: /--add-module=\S*rtmp/.test(built) ? null : await findModule(file, built),
    temporaryPaths: ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .filter((name) => !built.includes(`--without-http_${name}_module`))
      .map((name) => `${name}_temp_path`),
    takesErrorLog: isAtLeast(version, [1, 19, 5]),
  };
}

async function findModule(binary: string, built: string): Promise<string> {
  const prefix = /--prefix=(\S+)/.exec(built)?.[1] ?? '/usr/local/nginx';
  const own = /--modules-path=(\S+)/.exec(built)?.[1] ?? join(prefix, 'modules');
  for (const folder of [resolve(prefix, own), ...moduleFolders]) {
    const file = join(folder, moduleFile);
    if (await isReadable(file)) return file;
  }
  throw unusable(binary, `has no RTMP module (${moduleFile}); on Debian it is the package libnginx-mod-rtmp`);
}

async function search(name: string, folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) {
    const file = join(folder, name);
    if (folder !== '' && (await isExecutable(file))) return file;
  }
  return undefined;
}

function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

function isReadable(file: string): Promise<boolean> {
  return access(file, constants.R_OK).then(
    () => true,
    () => false,
  );
}

function isAtLeast(version: string, wanted: readonly number[]): boolean {
  const parts = version.split('.').map(Number);
  const first = wanted.findIndex((number, index) => parts[index] !== number);
  return first < 0 || (parts[first] ?? 0) > (wanted[first] ?? 0);
}

function unusable(file: string, problem: string): CodedError {
  return new CodedError('NGINX_UNUSABLE', `${file} ${problem}.`, { field: '--nginx-binary' });
}
