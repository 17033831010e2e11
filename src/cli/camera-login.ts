import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { CodedError, messageOf } from '../errors.js';
import type { CliIo } from './io.js';

/** Where the password of cameras may stand, where no file is named. */
export const cameraPasswordVariable = 'MEDIA_AGGREGATOR_CAMERA_PASSWORD';
/** A password on a camera is shorter. */
const maxPasswordChars = 256;

export interface CameraLoginOptions {
  readonly user?: string;
  readonly passwordFile?: string;
}

/**
 * The login of cameras: the user from the command line; the password from a file, the environment, or else asked for at the
 * terminal. Null: none. @throws CodedError USAGE
 */
export async function cameraLogin(
  { user, passwordFile }: CameraLoginOptions,
  io: CliIo,
): Promise<{ username: string; password: string } | null> {
  if (user === undefined) {
    if (passwordFile === undefined) return null;
    throw new CodedError('USAGE', '--password-file needs the user whose password it is: --user NAME');
  }
  const password = fromFile(passwordFile, io) ?? io.env[cameraPasswordVariable] ?? (await asked(user, io));
  if (password.length > maxPasswordChars) {
    throw new CodedError(
      'USAGE',
      `the password has ${password.length} characters; at most ${maxPasswordChars} are allowed`,
    );
  }
  return { username: user, password };
}

function fromFile(file: string | undefined, io: CliIo): string | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(resolve(io.cwd, file), 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    throw new CodedError('USAGE', `--password-file ${file} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

/** Asks for it, without showing it. */
function asked(user: string, io: CliIo): Promise<string> {
  const { terminal } = io;
  if (terminal === undefined) {
    const rule = `give the password of ${user} by --password-file FILE or ${cameraPasswordVariable}; there is no terminal to ask at`;
    return Promise.reject(new CodedError('USAGE', rule));
  }
  io.err.write(`Password of ${user} at the cameras: `);
  return new Promise((resolvePassword, reject) => {
    let text = '';
    const end = terminal.start(
      (keys) => {
        for (const key of Buffer.from(keys, 'latin1').toString('utf8')) {
          if (key === '\u0003' || key === '\u0004') {
            end();
            io.err.write('\n');
            reject(new CodedError('USAGE', 'no password was given'));
            return;
          }
          if (key === '\r' || key === '\n') {
            end();
            io.err.write('\n');
            resolvePassword(text);
            return;
          }
          if (key === '\u007f' || key === '\b') text = [...text].slice(0, -1).join('');
          else if (key >= ' ' && text.length <= maxPasswordChars) text += key;
        }
      },
      () => {},
    );
  });
}
