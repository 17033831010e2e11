import type { Command } from 'commander';
import { CodedError } from '../../errors.js';
import { nearest } from '../../json/nearest.js';
import { findApi } from '../find-api.js';
import { json, table } from '../format.js';
import { headed } from '../headed.js';
import type { CliIo } from '../io.js';
import { isPattern, matcherOf } from '../many/names.js';
import { type NamedSetting, namedSettings } from '../named-settings.js';
import { type ClientOptions, withClientOptions } from './shared.js';

/** Settings that a name means: key, flag, variable, or field of /v1/config; or a part of one, or a pattern. */
export function settingsNamed(text: string): readonly NamedSetting[] {
  const wanted = plain(text);
  if (wanted === '') return [];
  const namesOf = ({ row, field, variables }: NamedSetting): string[] =>
    [row.key, field, field.replace(/^media\./, ''), ...variables].map(plain);
  const exact = namedSettings.filter((each) => namesOf(each).includes(wanted));
  if (exact.length > 0) return exact;
  const isMeant = isPattern(text) ? matcherOf(wanted) : (name: string) => name.includes(wanted);
  return namedSettings.filter((each) => namesOf(each).some(isMeant));
}

/** `--rtmp-port`, `rtmpPort` and `MEDIA_AGGREGATOR_RTMP_PORT` are one name. */
function plain(name: string): string {
  return name
    .trim()
    .replace(/^MEDIA_AGGREGATOR_/i, '')
    .toLowerCase()
    .replace(/[^a-z0-9*?]/g, '');
}

export function addConfigCommand(program: Command, io: CliIo): void {
  withClientOptions(program.command('config [names...]'))
    .description('Show the settings of a running aggregator and where each comes from: all, or only the ones you name')
    .addHelpText(
      'after',
      `
A setting is found by each of its names (rtmp-port, --rtmp-port, rtmpPort, MEDIA_AGGREGATOR_RTMP_PORT, those of the original
system), by a part of one, or by a pattern.

Examples:
  $ media-aggregator config
  $ media-aggregator config MEDIA_AGGREGATOR_RTMP_PORT queue
`,
    )
    .action(async (names: string[], options: ClientOptions) => {
      const wanted = names.flatMap((name) => found(name));
      const selected = names.length === 0 ? namedSettings : [...new Set(wanted)];
      const { settings } = await findApi(options, io).config();
      const shown = selected.map((each) => {
        const { value = null, source = 'default' } = settings[each.field] ?? {};
        return {
          key: each.row.key,
          value,
          source,
          variable: each.variables[0] ?? '',
          description: each.row.description,
        };
      });
      if (options.json) {
        io.out.write(json(shown));
        return;
      }
      const rows = shown.map(({ key, value, source, description }) => [key, textOf(value), source, description]);
      io.out.write(headed(table(['SETTING', 'VALUE', 'FROM', 'WHAT IT IS'], rows), io));
    });
}

/** @throws CodedError USAGE */
function found(name: string): readonly NamedSetting[] {
  const settings = settingsNamed(name);
  if (settings.length > 0) return settings;
  const near = nearest(
    name.replace(/^--/, ''),
    namedSettings.map(({ row }) => row.key),
  );
  throw new CodedError('USAGE', `there is no setting "${name}"${near === undefined ? '' : `; did you mean ${near}?`}`);
}

function textOf(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  return Array.isArray(value) ? value.join(',') : String(value);
}
