import { parseSourceUrl } from '../address/source-url.js';
import { InputError } from '../errors.js';
import type { CameraSource } from './model.js';
import { checkUnmasked } from './rules.js';

/** What people and programs say of a source: its URL, or more. */
export type SourceInput =
  | string
  | {
      readonly url: string;
      readonly mode?: 'always' | 'on-demand' | undefined;
      readonly transport?: 'tcp' | 'udp' | undefined;
    };

/** The input without fields that have their default. */
export function sourceOf(input: SourceInput): CameraSource {
  if (typeof input === 'string') return { url: input };
  const { url, mode, transport } = input;
  return {
    url,
    ...(mode === 'on-demand' ? { mode } : {}),
    ...(transport === 'udp' ? { transport } : {}),
  };
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
