import { closeSync, constants, fstatSync, openSync, readSync, realpathSync } from 'node:fs';
import { expandGlob } from './glob.js';

/** Where the files of a configuration come from. */
export interface ConfigurationFiles {
  /**
   * The text of a file, and the path by which it is the same file whatever it is called.
   * @param path absolute
   * @throws Error that says why it cannot be read
   */
  read(path: string, maxBytes: number): { readonly text: string; readonly realPath: string };
  /** The files that an absolute path with wildcards stands for, in nginx's order; at most one more than `maxFiles`. */
  expand(pattern: string, maxFiles: number): readonly string[];
}

/** The files of this machine. */
export const filesOnDisk: ConfigurationFiles = {
  read(path, maxBytes) {
    const realPath = realpathSync(path);
    // A pipe would keep the reader waiting, and a device could go on for ever.
    const handle = openSync(realPath, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = fstatSync(handle);
      if (!stat.isFile()) throw new Error('it is not a file');
      if (stat.size > maxBytes) throw new Error(`it is larger than ${maxBytes} bytes`);
      const bytes = Buffer.alloc(stat.size);
      const length = readSync(handle, bytes, 0, stat.size, 0);
      return { text: bytes.toString('utf8', 0, length), realPath };
    } finally {
      closeSync(handle);
    }
  },
  expand: expandGlob,
};
