import type { Setting, Table } from './setting.js';
import { addressTable } from './table/address.js';
import { apiTable } from './table/api.js';
import { backendTable } from './table/backend.js';
import { clusterTable } from './table/cluster.js';
import { healthTable } from './table/health.js';
import { limitsTable } from './table/limits.js';
import { processTable } from './table/process.js';
import { publishTable } from './table/publish.js';
import { pushTable } from './table/push.js';
import { rtmpLimitsTable } from './table/rtmp-limits.js';
import { sourceTable } from './table/source.js';
import { streamsTable } from './table/streams.js';

/** All settings but those of the media backend, by their field of `Settings`, in the order of help. */
export const nodeTable = {
  ...addressTable,
  ...apiTable,
  ...backendTable,
  ...processTable,
  ...limitsTable,
  ...healthTable,
  ...clusterTable,
};

/** The settings of the media backend, by their field of `MediaSettings`, in the order of help. */
export const mediaTable = {
  ...streamsTable,
  ...pushTable,
  ...sourceTable,
  ...publishTable,
  ...rtmpLimitsTable,
};

/** A setting as lists show it, whatever its type. */
export interface SettingRow {
  readonly key: string;
  readonly flag: string;
  /** `MEDIA_AGGREGATOR_...` first. */
  readonly environment: readonly string[];
  readonly placeholder: string;
  readonly rule: string;
  /** As a user would write it; undefined: not set. */
  readonly defaultText: string | undefined;
  /** False when the default is words, not a value. */
  readonly defaultIsValue: boolean;
  readonly description: string;
  readonly group: 'node' | 'media';
}

function describe(setting: Setting<unknown>, group: SettingRow['group']): SettingRow {
  const text = setting.default === undefined ? setting.fallback?.words : setting.type.format(setting.default);
  return {
    key: setting.key,
    flag: `--${setting.key}`,
    environment: environmentNames(setting),
    placeholder: setting.type.placeholder,
    rule: setting.type.rule,
    defaultText: text,
    defaultIsValue: setting.default !== undefined,
    description: setting.description,
    group,
  };
}

function rowsOf(part: Table, group: SettingRow['group']): SettingRow[] {
  return Object.values(part).map((setting) => describe(setting, group));
}

/** The product's own variable of a setting: `MEDIA_AGGREGATOR_RTMP_PORT` for `rtmp-port`. */
export function ownEnvironmentName(key: string): string {
  return `MEDIA_AGGREGATOR_${key.replaceAll('-', '_').toUpperCase()}`;
}

/** All variables that give the value of a setting; the first one that is set wins. */
export function environmentNames(setting: Setting<unknown>): readonly string[] {
  return [ownEnvironmentName(setting.key), ...(setting.seedEnvironment ?? [])];
}

/** All settings in the order of help and of docs/settings.md. */
export const settingRows: readonly SettingRow[] = [...rowsOf(nodeTable, 'node'), ...rowsOf(mediaTable, 'media')];
