import { StateError } from '../../errors.js';
import { type Sealing, withoutKey } from '../sealing.js';
import { type JournalContent, JournalReading, journalVersion, refusedLine, splitSum } from './journal-lines.js';
import { judgeTail, newline, sectorBytes } from './journal-padding.js';

const wayOut =
  'restore a backup, or move the journal away: state.json is used as it is then, and changes that were made shortly before the process ended may be missing in it';

/**
 * Reads a journal. A crash may tear the last line. Anything else that is wrong was not done by one: the first line is there
 * in whole before the file has its name, a line whose sum fits is taken, also when just its newline is gone, and the
 * padding behind the last line is on disk before that line is.
 * @param sealing opens what is sealed in it
 * @throws StateError STATE_INVALID, STATE_SEALED, which names the line
 */
export function parseJournal(bytes: Buffer, sealing: Sealing = withoutKey): JournalContent {
  if (bytes.length === 0) throw new StateError('STATE_INVALID', `the file is empty, and is never left so; ${wayOut}`);
  const reading = new JournalReading(sealing);
  let at = 0;
  let lacksEnd = false;
  while (at < bytes.length && !lacksEnd && !(isPadded(reading) && bytes[at] === newline)) {
    const found = lineAt(bytes, at);
    if (found === undefined) {
      if (isPadded(reading) || isTornOld(bytes, at, reading)) break;
      throw damagedLine(reading.lines + 1);
    }
    reading.take(found.body);
    lacksEnd = !found.hasEnd;
    at = found.hasEnd ? found.end + 1 : found.end;
  }
  const { header, entries, seq } = reading;
  if (header === undefined) throw refusedLine(1, 'it is missing');
  const known = { header, entries, seq, goodBytes: at, lacksEnd };
  if (!isPadded(reading)) {
    const tornBytes = lacksEnd ? 0 : bytes.length - at;
    return { ...known, tornBytes, dirtyEnd: bytes.length, hasStrayByte: false };
  }
  // What stands in place of the newline counts as it.
  const tail = judgeTail(bytes, lacksEnd ? at + 1 : at);
  switch (tail.kind) {
    case 'cut':
      throw refusedLine(
        reading.lines,
        `the padding is missing that is always behind the last line: the file was cut, and with it changes that were acknowledged; ${wayOut}`,
      );
    case 'damaged':
      throw damagedLine(reading.lines + 1);
    default: {
      const tornBytes = tail.kind === 'torn' ? tail.dirtyEnd - at : 0;
      return { ...known, tornBytes, dirtyEnd: tail.dirtyEnd, hasStrayByte: tail.kind === 'stray' };
    }
  }
}

function isPadded({ header }: JournalReading): boolean {
  return header?.journal === journalVersion;
}

function damagedLine(line: number): StateError {
  return refusedLine(line, `its sum does not fit: it was changed, cut off or damaged; ${wayOut}`);
}

/** The line that begins at a place, when all of it is there; it may lack its newline, or have another byte there. */
function lineAt(bytes: Buffer, at: number): { body: string; end: number; hasEnd: boolean } | undefined {
  const newlineAt = bytes.indexOf(newline, at);
  if (newlineAt !== -1) {
    const body = splitSum(bytes.toString('utf8', at, newlineAt));
    if (body !== undefined) return { body, end: newlineAt, hasEnd: true };
  }
  let end = newlineAt === -1 ? bytes.length : newlineAt;
  // Old journals: zeros of a block that never reached the disk.
  if (newlineAt === -1) while (end > at && bytes[end - 1] === 0) end -= 1;
  for (const each of newlineAt === -1 ? [end, end - 1] : [end - 1]) {
    const body = each > at ? splitSum(bytes.toString('utf8', at, each)) : undefined;
    if (body !== undefined) return { body, end: each, hasEnd: false };
  }
  return undefined;
}

/**
 * Journals before version 3 had no padding: a line that ends with the file may be one whose writer was killed; blocks of
 * it that never reached the disk are read as zeros.
 */
function isTornOld(bytes: Buffer, at: number, { lines }: JournalReading): boolean {
  if (lines === 0) return false;
  const newlineAt = bytes.indexOf(newline, at);
  return newlineAt === -1 || (newlineAt + 1 === bytes.length && hasLostBlock(bytes, at));
}

/**
 * True when a block of the last line never reached the disk: zeros from the line's beginning or a sector's on, to a
 * sector's end or the file's. A zero anywhere else is a damaged byte of a line that was there.
 */
function hasLostBlock(bytes: Buffer, lineAt: number): boolean {
  for (let from = bytes.indexOf(0, lineAt); from !== -1; ) {
    let to = from;
    while (to < bytes.length && bytes[to] === 0) to += 1;
    const begins = from === lineAt || from % sectorBytes === 0;
    if (begins && (to === bytes.length || to % sectorBytes === 0)) return true;
    from = bytes.indexOf(0, to);
  }
  return false;
}
