import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const headerBytes = 64;
const magic = 0x464c457f;
const segmentBytes = 56;
const loadedType = 1;

/**
 * Does what loads a native library, and refuses one whose file is cut off, as a full disk leaves it: the system maps such a
 * file without a word, and ends the process where it touches what is missing (SIGBUS).
 * @throws Error for such a file, and what `load` throws
 */
export function loadWhole<T>(load: () => T): T {
  const { dlopen } = process;
  process.dlopen = (...given) => {
    expectWhole(given[1]);
    dlopen.apply(process, given);
  };
  try {
    return load();
  } finally {
    process.dlopen = dlopen;
  }
}

/** What is no ELF file of 64 bits is left to the system, which says so. */
function expectWhole(file: string): void {
  const fd = openSync(file, 'r');
  try {
    const header = Buffer.alloc(headerBytes);
    if (readSync(fd, header, 0, headerBytes, 0) < headerBytes || header.readUInt32LE(0) !== magic) return;
    const { size } = fstatSync(fd);
    const segments = Buffer.alloc(segmentBytes * header.readUInt16LE(56));
    const isRead = readSync(fd, segments, 0, segments.length, header.readBigUInt64LE(32)) === segments.length;
    for (let at = 0; at < segments.length; at += segmentBytes) {
      const isLoaded = segments.readUInt32LE(at) === loadedType;
      const end = segments.readBigUInt64LE(at + 8) + segments.readBigUInt64LE(at + 32);
      if (!isRead || (isLoaded && end > size)) throw new Error(`${file} is cut off: it has ${size} bytes`);
    }
  } finally {
    closeSync(fd);
  }
}
