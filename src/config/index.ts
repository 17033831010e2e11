/** Settings: one table (src/config/table/) from which types, flags, variables, the file, help and documents are derived. */
export {
  apiVariable,
  defaultSettings,
  describeSettings,
  loadSettings,
  sourcesByField,
  tokenVariable,
} from './load.js';
export type {
  LoadedSettings,
  LogFormat,
  LogLevel,
  SettingSources,
  Settings,
} from './settings.js';
export { type SettingRow, settingRows } from './table.js';
