import { createHash } from 'node:crypto';

/**
 * nginx.conf in parts: one for each camera, from its line `# camera NAME` to the next such line, and the frame, which is
 * all the rest. Each part's hash as it was rendered stands at the end of its line (the frame's at `# end of cameras`).
 * So the file alone tells which parts were edited by hand, and which of them a new rendering wants to change:
 *
 *   part as rendered, rendering the same or new   the rendering
 *   part edited, rendering as when it was edited  the edit stays
 *   part edited, rendering new                    the rendering; the edit is lost here, and the caller keeps a copy
 */
const markLine = /^([ \t]*# (?:camera ([^\s]+)|end of cameras))(?: ([0-9a-f]{12}))?[ \t]*\r?$/gm;

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
  /** The end mark and what follows; null in a file without marks. */
  readonly end: Part | null;
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

/** Puts a rendering and the present file together, as said above. The result carries hashes. */
export function mergeParts(present: string | undefined, rendered: string): Merged {
  const next = split(rendered);
  if (present === undefined || present.trim() === '') return { text: join(next, next, new Set()), kept: [], lost: [] };
  const now = split(present);
  if (next.end === null || now.end === null) {
    // A template, or a file, without marks: it is one part, and its author is only known when it is as rendered.
    const same = present === (next.end === null ? rendered : join(next, next, new Set()));
    return { text: join(next, next, new Set()), kept: [], lost: same ? [] : [framePart] };
  }
  const kept = new Set<string>();
  const lost: string[] = [];
  const judge = (name: string, own: string, hash: string | undefined, wanted: string): void => {
    if (own === wanted || (hash !== undefined && hashOf(own) === hash)) return;
    if (hash !== undefined && hashOf(wanted) === hash) kept.add(name);
    else lost.push(name);
  };
  judge(framePart, frameOf(now), now.end.hash, frameOf(next));
  for (const [name, part] of now.cameras) {
    const wanted = next.cameras.get(name);
    judge(name, part.body, part.hash, wanted?.body ?? '');
  }
  return { text: join(next, now, kept), kept: [...kept], lost };
}

function split(text: string): Parts {
  const marks = [...text.matchAll(markLine)];
  const endIndex = marks.findIndex((mark) => mark[2] === undefined);
  const end = marks[endIndex];
  if (end === undefined) return { head: text, cameras: new Map(), end: null };
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
  return `${parts.head}\0${parts.end?.body ?? ''}`;
}

/** The hash is that of the rendering, whatever body is taken. */
function join(next: Parts, now: Parts, kept: ReadonlySet<string>): string {
  if (next.end === null) return next.head;
  const frame = kept.has(framePart) && now.end !== null ? now : next;
  const pieces = [frame.head];
  for (const [name, part] of next.cameras) {
    const body = kept.has(name) ? now.cameras.get(name)?.body : undefined;
    pieces.push(`${part.mark} ${hashOf(part.body)}\n${body ?? part.body}`);
  }
  pieces.push(`${next.end.mark} ${hashOf(frameOf(next))}\n${frame.end?.body ?? next.end.body}`);
  return pieces.join('');
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
