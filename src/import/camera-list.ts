import { nearest } from '../json/nearest.js';
import { JsonError, parseJson } from '../json/strict-json.js';
import { CsvError, type CsvRow, readCsv } from './csv.js';

/** A push of a listed camera: exactly one of `url` and `engine`, which the API checks. */
export interface ListedPush {
  readonly url?: string;
  readonly engine?: string;
  readonly id?: string;
  readonly enabled?: boolean;
  readonly queueMaxBytes?: number;
  readonly queueMaxAgeMs?: number;
  readonly enhanced?: 'auto' | 'off';
  readonly videoTrack?: number | 'all';
  readonly audioTrack?: number | 'all';
  readonly audio?: 'as-is' | 'none' | 'silence' | 'aac';
  readonly via?: string;
}

/** A camera of a list. Its values are as they stand there; the API checks them. */
export interface ListedCamera {
  readonly name: string;
  readonly type?: string;
  /** The URL that it is fetched from. */
  readonly source?: string;
  readonly pushes: readonly ListedPush[];
  /** Where it stands first: `line 17`, `entry 3`. */
  readonly place: string;
}

/** Something in the list that cannot be used. */
export interface ListProblem {
  readonly place: string;
  readonly message: string;
}

export interface CameraList {
  readonly format: 'names' | 'CSV' | 'JSON' | 'JSON lines';
  readonly cameras: readonly ListedCamera[];
  readonly problems: readonly ListProblem[];
}

/** Larger lists are not read: ten thousand cameras take a few megabytes. */
export const maxListBytes = 32 << 20;

/**
 * Reads a list of cameras: names, one a line; CSV with the columns name, type, source, engine and url, of which engine and url may
 * stand several times; a JSON array of cameras; or JSON objects, one a line. A camera may have several rows, one for each
 * push. What cannot be used is a problem with its place, and the rest is read.
 */
export function readCameraList(text: string): CameraList {
  const start = text.replace(/^\ufeff/, '').trimStart();
  if (start.startsWith('[')) return readJson(text);
  if (start.startsWith('{')) return isWholeLine(start) ? readJsonLines(text) : readJson(text);
  return readTable(text);
}

/** Whether the first line is an object by itself. */
function isWholeLine(text: string): boolean {
  try {
    parseJson(text.split('\n', 1)[0] ?? '');
    return true;
  } catch {
    return false;
  }
}

function readJson(text: string): CameraList {
  const format = 'JSON';
  let value: unknown;
  try {
    value = parseJson(text.replace(/^\ufeff/, ''));
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    const message = error.message.replace(/^line \d+, (column \d+: )/, '$1');
    return { format, cameras: [], problems: [{ place: `line ${error.line}`, message }] };
  }
  const items = Array.isArray(value) ? value : [value];
  return gather(
    format,
    items.map((item, index) => ({ place: `entry ${index + 1}`, value: item })),
  );
}

function readJsonLines(text: string): CameraList {
  const items: { place: string; value: unknown }[] = [];
  const problems: ListProblem[] = [];
  for (const [index, line] of text
    .replace(/^\ufeff/, '')
    .split('\n')
    .entries()) {
    if (line.trim() === '') continue;
    const place = `line ${index + 1}`;
    try {
      items.push({ place, value: parseJson(line) });
    } catch (error) {
      if (!(error instanceof JsonError)) throw error;
      problems.push({ place, message: error.message.replace(/^line \d+, /, '') });
    }
  }
  const list = gather('JSON lines', items);
  return { ...list, problems: [...problems, ...list.problems] };
}

const jsonKeys = ['name', 'type', 'source', 'engine', 'engines', 'url', 'urls', 'pushes'] as const;
const pushKeys = [
  ...(['id', 'url', 'engine', 'enabled', 'queueMaxBytes', 'queueMaxAgeMs'] as const),
  ...(['enhanced', 'videoTrack', 'audioTrack', 'audio', 'via'] as const),
] as const;

function gather(format: CameraList['format'], items: readonly { place: string; value: unknown }[]): CameraList {
  const gathering = new Gathering();
  for (const { place, value } of items) {
    try {
      gathering.add({ ...cameraOf(value), place });
    } catch (error) {
      if (!(error instanceof ListError)) throw error;
      gathering.problems.push({ place, message: error.message });
    }
  }
  return { format, cameras: gathering.cameras, problems: gathering.problems };
}

class ListError extends Error {}

function cameraOf(value: unknown): Omit<ListedCamera, 'place'> {
  if (typeof value === 'string') return { name: value, pushes: [] };
  const { name, type, source, engine, engines, url, urls, pushes } = checkedKeys(value, jsonKeys, 'a camera');
  if (name === undefined) throw new ListError('it has no "name"');
  const texts = [
    ...textsOf('engine', engine).map((one) => ({ engine: one })),
    ...textsOf('engines', engines).map((one) => ({ engine: one })),
    ...textsOf('url', url).map((one) => ({ url: one })),
    ...textsOf('urls', urls).map((one) => ({ url: one })),
  ];
  if (pushes !== undefined && !Array.isArray(pushes)) throw new ListError('"pushes" must be a list');
  const listed = (pushes ?? []).map((push) => checkedKeys(push, pushKeys, 'a push') as ListedPush);
  return {
    name: textOf('name', name),
    ...(type == null ? {} : { type: textOf('type', type) }),
    ...(source == null ? {} : { source: textOf('source', source) }),
    pushes: [...texts, ...listed],
  };
}

function checkedKeys<K extends string>(value: unknown, known: readonly K[], what: string): { [key in K]?: unknown } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ListError(`${what} must be an object, not ${Array.isArray(value) ? 'a list' : String(value)}`);
  }
  if ('version' in value && 'cameras' in value) {
    throw new ListError('it is a state.json or a backup; put it in force with "media-aggregator restore FILE"');
  }
  for (const key of Object.keys(value)) {
    if (known.some((one) => one === key)) continue;
    const near = nearest(key, [...known]);
    throw new ListError(
      `unknown key "${key}"; ${near === undefined ? `known are ${known.join(', ')}` : `did you mean "${near}"?`}`,
    );
  }
  return value;
}

function textsOf(key: string, value: unknown): string[] {
  if (value == null) return [];
  return Array.isArray(value) ? value.map((one) => textOf(key, one)) : [textOf(key, value)];
}

/** A camera may be called 17 in a list that a spreadsheet made. */
function textOf(key: string, value: unknown): string {
  if (typeof value === 'number') return String(value);
  if (typeof value !== 'string') throw new ListError(`"${key}" must be a text`);
  return value;
}

type Column = 'name' | 'type' | 'source' | 'engine' | 'url' | 'target' | 'id' | 'audio';

/** What people call the columns, without digits, blanks and signs at their end. */
const columnNames: Readonly<Record<string, Column>> = {
  ...{ name: 'name', camera: 'name', cameras: 'name', 'camera name': 'name' },
  ...{ type: 'type', kind: 'type' },
  ...{ source: 'source', 'source url': 'source', rtsp: 'source', 'rtsp url': 'source' },
  ...{ engine: 'engine', engines: 'engine' },
  ...{ url: 'url', urls: 'url', 'push url': 'url' },
  ...{ push: 'target', pushes: 'target', target: 'target', targets: 'target', to: 'target' },
  ...{ id: 'id', 'push id': 'id' },
  ...{ audio: 'audio', sound: 'audio' },
};

function columnOf(heading: string): Column | undefined {
  const plain = heading
    .trim()
    .toLowerCase()
    .replace(/[_-]/g, ' ')
    .replace(/[ ]*\d*$/, '')
    .trim();
  return Object.hasOwn(columnNames, plain) ? columnNames[plain] : undefined;
}

function readTable(text: string): CameraList {
  let rows: CsvRow[];
  try {
    rows = readCsv(text);
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    return { format: 'CSV', cameras: [], problems: [{ place: `line ${error.line}`, message: error.message }] };
  }
  const isTable = rows.some(({ cells }) => cells.length > 1);
  const [first] = rows;
  const hasHeadings = first !== undefined && columnOf(first.cells[0] ?? '') === 'name';
  const columns = hasHeadings ? first.cells.map(columnOf) : undefined;
  const gathering = new Gathering();
  if (hasHeadings) {
    const unknown = first.cells.findIndex((cell) => cell !== '' && columnOf(cell) === undefined);
    if (unknown >= 0) {
      const message = `unknown column "${first.cells[unknown]}"; known are name, type, source, engine, url, audio and id`;
      return { format: 'CSV', cameras: [], problems: [{ place: `line ${first.line}`, message }] };
    }
  }
  for (const { line, cells } of hasHeadings ? rows.slice(1) : rows) {
    const place = `line ${line}`;
    const camera = rowCamera(cells, columns);
    if (camera.name === '') gathering.problems.push({ place, message: 'it has no name' });
    else gathering.add({ ...camera, place });
  }
  return { format: isTable ? 'CSV' : 'names', cameras: gathering.cameras, problems: gathering.problems };
}

/** Without headings the columns are name, type, and then targets. */
function rowCamera(
  cells: readonly string[],
  columns: readonly (Column | undefined)[] | undefined,
): Omit<ListedCamera, 'place'> {
  let name = '';
  let type: string | undefined;
  let source: string | undefined;
  let id: string | undefined;
  let audio: string | undefined;
  const pushes: ListedPush[] = [];
  for (const [index, cell] of cells.entries()) {
    if (cell === '') continue;
    const column = columns === undefined ? (index === 0 ? 'name' : index === 1 ? 'type' : 'target') : columns[index];
    if (column === 'name') name = cell;
    else if (column === 'type') type = cell;
    else if (column === 'source') source = cell;
    else if (column === 'id') id = cell;
    else if (column === 'audio') audio = cell;
    else if (column === 'url') pushes.push({ url: cell });
    // Names of engines have neither: several may stand in one cell.
    else if (column === 'engine') pushes.push(...cell.split(/[;, ]+/).map((engine) => ({ engine })));
    else if (column === 'target') pushes.push(cell.includes('://') ? { url: cell } : { engine: cell });
  }
  // What it is is judged where the other fields are.
  const all =
    audio === undefined ? pushes : pushes.map((push) => ({ ...push, audio: audio as ListedPush['audio'] & {} }));
  const [only] = all;
  return {
    name,
    ...(type === undefined ? {} : { type }),
    ...(source === undefined ? {} : { source }),
    pushes: id !== undefined && all.length === 1 ? [{ ...only, id }] : all,
  };
}

/** Rows of one camera become one. */
class Gathering {
  readonly problems: ListProblem[] = [];
  readonly #cameras = new Map<string, ListedCamera>();

  get cameras(): ListedCamera[] {
    return [...this.#cameras.values()];
  }

  add(camera: ListedCamera): void {
    const known = this.#cameras.get(camera.name);
    if (known === undefined) {
      this.#cameras.set(camera.name, camera);
      return;
    }
    if (camera.type !== undefined && known.type !== undefined && camera.type !== known.type) {
      const message = `camera ${camera.name} has the type ${known.type} in ${known.place}, and ${camera.type} here`;
      this.problems.push({ place: camera.place, message });
      return;
    }
    if (camera.source !== undefined && known.source !== undefined && camera.source !== known.source) {
      const message = `camera ${camera.name} has another source in ${known.place}`;
      this.problems.push({ place: camera.place, message });
      return;
    }
    const type = known.type ?? camera.type;
    const source = known.source ?? camera.source;
    this.#cameras.set(camera.name, {
      ...known,
      ...(type === undefined ? {} : { type }),
      ...(source === undefined ? {} : { source }),
      pushes: [...known.pushes, ...camera.pushes],
    });
  }
}

/** Pushes of a list with `{name}` and `{type}` of their URLs replaced, as in the templates of engines. */
export function filledPushes({ name, type, pushes }: ListedCamera): ListedPush[] {
  return pushes.map((push) =>
    push.url === undefined
      ? push
      : { ...push, url: push.url.replaceAll('{name}', name).replaceAll('{type}', type ?? '{type}') },
  );
}

/** What a file seems to be that is no list of cameras and no configuration of nginx, in words. */
export function describeContent(bytes: Buffer): string {
  if (bytes.length === 0) return 'an empty file';
  const magic = bytes.subarray(0, 4).toString('latin1');
  if (magic.startsWith('\u001f\u008b')) return 'a gzip archive';
  if (magic.startsWith('PK')) return 'a ZIP archive (or a spreadsheet in its own format: export it as CSV)';
  if (magic.startsWith('FLV')) return 'a recording (FLV)';
  if (bytes.subarray(0, 8192).includes(0)) return 'a binary file';
  const text = bytes.subarray(0, 8192).toString('utf8').trimStart();
  if (text === '') return 'a file with nothing but blanks';
  if (/^<\?xml|^<[A-Za-z!]/.test(text)) return 'XML or HTML';
  if (/^[A-Za-z][\w-]*:(\s|$)/m.test(text)) return 'YAML (for a file with the desired state, use "apply -f")';
  return 'text of another kind';
}
