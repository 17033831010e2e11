import { createHash } from 'node:crypto';

/**
 * nginx.conf in parts: one for each camera, from its line `# camera NAME` to the next such line, and the frame, which is
 * all the rest. Each part's hash as it was rendered stands at the end of its line (the frame's at `# end of cameras`).
 * So the file alone tells which parts were edited by hand, and which of them a new rendering wants to change:
 *
 *   part as rendered, rendering the same or new   the rendering
 *   part edited, rendering as when it was edited  the edit stays
 *   part edited, rendering new                    the rendering; the edit is lost here, and the caller keeps a copy
 *   part without a hash: written by hand          stays, and counts as edited from now on
 *
 * A template without these lines makes a file of one part.
 */
const markLine = /^([ \t]*# (?:camera ([^\s]+)|end of cameras))(?: ([0-9a-f]{12}))?[ \t]*\r?$/gm;
const endMark = '# end of cameras';

interface Part {
  /** The mark's line without the hash. */
  readonly mark: string;
  readonly hash: string | undefined;
  /** What stands below the mark, with the line break after it. */
  readonly body: string;
}

interface Parts {
  readonly head: string;
  readonly cameras: ReadonlyMap<string, Part>;
  /** The end mark and what follows. */
  readonly end: Part;
}

/** What became of edits by hand. Names of cameras; the frame is ''. */
export interface Merged {
  readonly text: string;
  /** Edited parts that stayed. */
  readonly kept: readonly string[];
  /** Edited parts that were rendered anew. */
  readonly lost: readonly string[];
}

export const framePart = '';

/** Why a rendering has no place in a file. */
export interface Unplaceable {
  readonly unplaceable: string;
}

/**
 * Puts a rendering and the present file together, as said above. The result carries hashes.
 * @param present the file as it is; undefined when there is none
 */
export function mergeParts(present: string | undefined, rendered: string): Merged | Unplaceable {
  const next = split(rendered) ?? split(`${rendered.trimEnd()}\n${endMark}\n`);
  if (next === undefined) throw new Error('a rendering with its mark has no mark');
  if (present === undefined) return { text: join(next, next, new Set()), kept: [], lost: [] };
  if (present.trim() === '') return { unplaceable: 'it is empty; remove it to have it rendered anew' };
  const now = split(present);
  if (now === undefined) {
    return { unplaceable: `it has no line "${endMark}" in its rtmp server, where the cameras go` };
  }
  const kept = new Set<string>();
  const lost: string[] = [];
  const judge = (name: string, own: string, hash: string | undefined, wanted: string | undefined): void => {
    if (own === wanted || (hash !== undefined && hashOf(own) === hash)) return;
    if (wanted !== undefined && (hash === undefined || hashOf(wanted) === hash)) kept.add(name);
    else lost.push(name);
  };
  judge(framePart, frameOf(now), now.end.hash, frameOf(next));
  for (const [name, part] of now.cameras) judge(name, part.body, part.hash, next.cameras.get(name)?.body);
  return { text: join(next, now, kept), kept: [...kept], lost };
}

/** undefined for a text without an end mark. */
function split(text: string): Parts | undefined {
  const marks = [...text.matchAll(markLine)];
  const endIndex = marks.findIndex((mark) => mark[2] === undefined);
  const end = marks[endIndex];
  if (end === undefined) return undefined;
  const cameras = new Map<string, Part>();
  for (const [index, mark] of marks.slice(0, endIndex).entries()) {
    const name = mark[2] ?? '';
    const part = partOf(text, mark, marks[index + 1]?.index ?? text.length);
    const first = cameras.get(name);
    // A camera that was copied with its mark: the copy belongs to the first, and is an edit.
    cameras.set(name, first === undefined ? part : { ...first, body: `${first.body}${part.mark}\n${part.body}` });
  }
  return { head: text.slice(0, marks[0]?.index), cameras, end: partOf(text, end, text.length) };
}

function partOf(text: string, mark: RegExpMatchArray, end: number): Part {
  const start = (mark.index ?? 0) + mark[0].length + 1;
  return { mark: mark[1] ?? '', hash: mark[3], body: text.slice(start, end) };
}

function frameOf(parts: Parts): string {
  return `${parts.head}\0${parts.end.body}`;
}

/** The hash is that of the rendering, whatever body is taken. */
function join(next: Parts, now: Parts, kept: ReadonlySet<string>): string {
  const frame = kept.has(framePart) ? now : next;
  const pieces = [frame.head];
  for (const [name, part] of next.cameras) {
    const body = kept.has(name) ? now.cameras.get(name)?.body : undefined;
    pieces.push(`${part.mark} ${hashOf(part.body)}\n${body ?? part.body}`);
  }
  pieces.push(`${next.end.mark} ${hashOf(frameOf(next))}\n${frame.end.body}`);
  return pieces.join('');
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
