import type { Input } from '../../client/index.js';
import { CodedError } from '../../errors.js';
import type { CameraView } from '../views.js';

/** What is said of the ingests of a camera on the command line. */
export interface IngestOptions {
  readonly ingests?: string;
  readonly source?: readonly string[];
  readonly onDemand?: boolean;
  readonly always?: boolean;
  readonly sourceTransport?: string;
  readonly switchBack?: string;
  readonly slate?: string;
  readonly slateFor?: string;
}

/** The word for what there is not to be. */
export const none = 'none';

type SourceView = NonNullable<CameraView['source']>;
type Change = Pick<Input<'changeCamera'>['body'], 'ingests' | 'source'>;

/** How an ingest is pulled so far; undefined: it is not, or is new. */
export type KnownSource = (ingest: string | undefined) => Pick<SourceView, 'mode' | 'transport'> | undefined;

/** What is pulled of a camera, to be asked for an ingest; who names none means the camera's own, or the first. */
export function knownSources({ source, ingests }: Pick<CameraView, 'source' | 'ingests'>): KnownSource {
  return (ingest) => (ingests === undefined ? source : ingests.find(({ name }) => name === ingest)?.source);
}

/**
 * The options about ingests and their sources as the API takes them. What is not said of how a source is pulled stays.
 * @throws CodedError USAGE
 */
export function sourceChange(options: IngestOptions, known: KnownSource = () => undefined): Change {
  const { ingests, source: given = [], onDemand, always, sourceTransport } = options;
  if (onDemand === true && always === true) throw new CodedError('USAGE', 'give --on-demand or --always, not both');
  if (sourceTransport !== undefined && sourceTransport !== 'tcp' && sourceTransport !== 'udp') {
    throw new CodedError('USAGE', `--source-transport is "${sourceTransport}"; it is tcp or udp`);
  }
  if (given.length === 0 && (onDemand === true || always === true || sourceTransport !== undefined)) {
    throw new CodedError('USAGE', '--on-demand, --always and --source-transport apply to a source: add --source URL');
  }
  const sourceFor = (url: string, ingest?: string) => {
    if (url === none) return null;
    const before = known(ingest);
    const isOnDemand = onDemand ?? (always !== true && before?.mode === 'on-demand');
    const isUdp = (sourceTransport ?? (/^rtsps?:/i.test(url) ? before?.transport : undefined)) === 'udp';
    const mode = isOnDemand ? { mode: 'on-demand' as const } : {};
    return { url, ...mode, ...(isUdp ? { transport: 'udp' as const } : {}) };
  };
  const sources = given.map(splitSource);
  if (ingests === undefined || ingests === none) {
    const [first, ...others] = sources;
    if (others.length > 0 || first?.ingest !== undefined) {
      throw new CodedError(
        'USAGE',
        '--source INGEST=URL is for the ingests that --ingests names: --ingests main,backup',
      );
    }
    return {
      ...(ingests === undefined ? {} : { ingests: null }),
      ...(first === undefined ? {} : { source: sourceFor(first.url) }),
    };
  }
  const names = namesOf(ingests);
  for (const { ingest } of sources) {
    if (ingest !== undefined && names.includes(ingest)) continue;
    throw new CodedError('USAGE', `--source needs the ingest that it is for: ${names.join('=URL, ')}=URL`);
  }
  return {
    ingests: names.map((name) => {
      const own = sources.find(({ ingest }) => ingest === name);
      return own === undefined ? name : { name, source: sourceFor(own.url, name) };
    }),
  };
}

/** `INGEST=URL`, or a URL, which has an equals sign behind its scheme only. */
function splitSource(text: string): { readonly ingest?: string; readonly url: string } {
  const [, ingest, url] = /^([A-Za-z0-9][A-Za-z0-9._-]{0,63})=(.*)$/.exec(text) ?? [];
  return ingest === undefined || url === undefined ? { url: text } : { ingest, url };
}

/** A source with what it does, in a line. */
export function sourceLine({ url, state, mode, lastError, device }: SourceView): string {
  const why = state === 'waiting' && lastError !== null ? `: ${lastError.code}: ${lastError.message}` : '';
  const which = device === undefined ? '' : `serial number ${device.serial}, `;
  return `pulled from ${url} (${which}${mode === 'on-demand' ? 'on demand, ' : ''}${state}${why})`;
}

function namesOf(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.every((name) => name !== '')) return names;
  throw new CodedError('USAGE', '--ingests needs names that are separated by commas: main,backup');
}
