import type { LogLineFormat } from '../log/pino.js';
import type { SettingsOf } from './setting.js';
import type { mediaTable, nodeTable } from './table.js';

export type { LogLevel } from '../log/levels.js';
export type LogFormat = LogLineFormat;

/** What one aggregator runs with, as its table has it: `src/config/table/` says what each setting is. */
export interface Settings extends SettingsOf<typeof nodeTable> {
  readonly media: MediaSettings;
}

/** How the media backend behaves, and what it bears. */
export interface MediaSettings extends SettingsOf<typeof mediaTable> {}

/** Where each setting's value came from, by key: `default`, `file PATH`, `environment NAME` or `flag --NAME`. */
export type SettingSources = Readonly<Record<string, string>>;

export interface LoadedSettings {
  readonly settings: Settings;
  readonly sources: SettingSources;
}
