import { type SettingRow, settingRows } from '../config/index.js';
import { environmentNames, mediaTable, nodeTable } from '../config/table.js';

/** A setting with all that people call it. */
export interface NamedSetting {
  readonly row: SettingRow;
  /** As /v1/config has it: `rtmpPort`, `media.queueMaxBytes`. */
  readonly field: string;
  /** Variables that give its value. */
  readonly variables: readonly string[];
}

export const namedSettings: readonly NamedSetting[] = settingRows.map((row) => {
  const own = row.group === 'media' ? mediaTable : nodeTable;
  const entry = Object.entries(own).find(([, setting]) => setting.key === row.key);
  if (entry === undefined) throw new Error(`setting ${row.key} is in no table`);
  const [field, setting] = entry;
  return { row, field: row.group === 'media' ? `media.${field}` : field, variables: environmentNames(setting) };
});

/** By field of /v1/config: the key, as in files and flags, and the variables. */
export const settingNames: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  namedSettings.map(({ row, field, variables }) => [field, [row.key, ...variables]]),
);
