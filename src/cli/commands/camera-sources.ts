import type { Input } from '../../client/index.js';
import { CodedError } from '../../errors.js';
import type { CameraView } from '../views.js';

/** What is said of the ingests of a camera on the command line. */
export interface IngestOptions {
  readonly ingests?: string;
  readonly source?: readonly string[];
  readonly onDemand?: boolean;
  readonly sourceTransport?: string;
  readonly switchBack?: string;
  readonly slate?: string;
  readonly slateFor?: string;
}

/** The word for what there is not to be. */
export const none = 'none';

type SourceView = NonNullable<CameraView['source']>;
type Change = Pick<Input<'changeCamera'>['body'], 'ingests' | 'source'>;

/** The options about ingests and their sources as the API takes them. @throws CodedError USAGE */
export function sourceChange(options: IngestOptions): Change {
  const { ingests, source: given = [], onDemand, sourceTransport } = options;
  if (sourceTransport !== undefined && sourceTransport !== 'tcp' && sourceTransport !== 'udp') {
    throw new CodedError('USAGE', `--source-transport is "${sourceTransport}"; it is tcp or udp`);
  }
  if (given.length === 0 && (onDemand === true || sourceTransport !== undefined)) {
    throw new CodedError('USAGE', '--on-demand and --source-transport apply to a source: add --source URL');
  }
  const transport = sourceTransport === 'udp' ? { transport: 'udp' as const } : {};
  const mode = onDemand === true ? { mode: 'on-demand' as const } : {};
  const sourceFor = (url: string) => (url === none ? null : { url, ...mode, ...transport });
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
      return own === undefined ? name : { name, source: sourceFor(own.url) };
    }),
  };
}

/** `INGEST=URL`, or a URL, which has an equals sign behind its scheme only. */
function splitSource(text: string): { readonly ingest?: string; readonly url: string } {
  const [, ingest, url] = /^([A-Za-z0-9][A-Za-z0-9._-]{0,63})=(.*)$/.exec(text) ?? [];
  return ingest === undefined || url === undefined ? { url: text } : { ingest, url };
}

/** A source with what it does, in a line. */
export function sourceLine({ url, state, mode, lastError }: SourceView): string {
  const why = state === 'waiting' && lastError !== null ? `: ${lastError.code}: ${lastError.message}` : '';
  return `pulled from ${url} (${mode === 'on-demand' ? 'on demand, ' : ''}${state}${why})`;
}

function namesOf(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.every((name) => name !== '')) return names;
  throw new CodedError('USAGE', '--ingests needs names that are separated by commas: main,backup');
}
