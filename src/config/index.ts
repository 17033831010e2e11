/** Settings: one table (src/config/table/) from which types, flags, variables, the file, help and documents are derived. */
export {
  apiVariable,
  configVariable,
  defaultSettings,
  describeSettings,
  type LoadOptions,
  loadSettings,
  settingsFileName,
  sourcesByField,
  tokenVariable,
} from './load.js';
export type {
  LoadedSettings,
  LogFormat,
  LogLevel,
  MediaSettings,
  SettingSources,
  Settings,
} from './settings.js';
export { type SettingRow, settingRows } from './table.js';
