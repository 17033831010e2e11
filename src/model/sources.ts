import { hostInUrl } from '../address/host.js';
import { parseSourceUrl } from '../address/source-url.js';
import { InputError } from '../errors.js';
import type { CameraSource, SourceDevice } from './model.js';
import { checkUnmasked } from './rules.js';

/** What people and programs say of a source: its URL, or more. */
export type SourceInput =
  | string
  | {
      readonly url: string;
      readonly mode?: 'always' | 'on-demand' | undefined;
      readonly transport?: 'tcp' | 'udp' | undefined;
      readonly device?: { readonly serial: string; readonly reference?: string | undefined } | undefined;
    };

/** The input without fields that have their default. */
export function sourceOf(input: SourceInput): CameraSource {
  if (typeof input === 'string') return { url: input };
  const { url, mode, transport, device } = input;
  return {
    url,
    ...(mode === 'on-demand' ? { mode } : {}),
    ...(transport === 'udp' ? { transport } : {}),
    ...(device === undefined ? {} : { device: deviceOf(device) }),
  };
}

function deviceOf({ serial, reference }: { serial: string; reference?: string | undefined }): SourceDevice {
  return { serial, ...(reference === undefined ? {} : { reference }) };
}

/** The URL of a source at another host; all else of it stays as it is written. @throws InputError INVALID_ADDRESS */
export function urlAtHost(url: string, host: string): string {
  const { port } = parseSourceUrl(url);
  const [, scheme = '', authority = '', path = ''] = /^([^:/?]+:\/\/)([^/?]*)(.*)$/.exec(url) ?? [];
  const login = authority.slice(0, authority.lastIndexOf('@') + 1);
  return `${scheme}${login}${hostInUrl(host)}:${port}${path}`;
}

/** @throws InputError INVALID_ADDRESS, INVALID_REQUEST */
export function checkSource(field: string, { url, transport }: CameraSource): void {
  checkUnmasked(field, url);
  let scheme: string;
  try {
    ({ scheme } = parseSourceUrl(url));
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError(error.code, `${field}: ${error.message}`, { field, cause: error });
  }
  if (transport !== undefined && scheme !== 'rtsp' && scheme !== 'rtsps') {
    const rule = `is a matter of RTSP, and the source begins with ${scheme}://; leave it out`;
    throw new InputError('INVALID_REQUEST', `${field}.transport: ${rule}`, { field: `${field}.transport` });
  }
}
