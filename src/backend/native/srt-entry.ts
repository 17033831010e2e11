import { readFileSync } from 'node:fs';
import { ConfigError, messageOf } from '../../errors.js';
import type { Logger } from '../../log/log.js';
import { plural } from '../../plural.js';
import type { StreamHost } from '../../rtmp/stream-host.js';
import { SrtListener } from '../../srt/srt-listener.js';
import type { NativeMediaSettings, SrtEntrySettings } from './native-settings.js';

/** What libsrt takes (SRTO_PASSPHRASE). */
const passphraseChars = { min: 10, max: 79 };
const defaultLatencyMs = 120;

/**
 * Opens the listener for encoders that publish by SRT.
 * @throws CodedError ADDRESS_IN_USE, INVALID_ADDRESS; ConfigError CONFIG_INVALID_VALUE for a passphrase that cannot be used
 */
export async function openSrt(options: {
  readonly listenOn: string;
  readonly srt: SrtEntrySettings;
  readonly media: NativeMediaSettings;
  readonly host: StreamHost;
  readonly log: Logger;
}): Promise<{ readonly listener: SrtListener; readonly port: number }> {
  const { listenOn, srt, media, host, log } = options;
  const settings = { ...media, srtLatencyMs: media.srtLatencyMs ?? defaultLatencyMs };
  const listener = new SrtListener({ settings, passphrase: passphraseIn(srt.passphraseFile), host, log });
  return { listener, port: await listener.listen(listenOn, srt.port) };
}

function passphraseIn(file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  const field = '--srt-passphrase-file';
  let text: string;
  try {
    text = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    const message = `srt-passphrase-file ${file} cannot be read: ${messageOf(error)}`;
    throw new ConfigError('CONFIG_INVALID_VALUE', message, { cause: error, field });
  }
  const { min, max } = passphraseChars;
  const bytes = Buffer.byteLength(text);
  if (bytes >= min && bytes <= max) return text;
  const message = `srt-passphrase-file ${file} holds ${plural(bytes, 'character')}; a passphrase of SRT has ${min} to ${max}`;
  throw new ConfigError('CONFIG_INVALID_VALUE', message, { field });
}
