import type { ValueType } from './values.js';

/** One setting: everything that flags, variables, the file, help, docs/settings.md and the types are derived from. */
export interface Setting<T> {
  /** Its name in `media-aggregator.yaml`, and with `--` before it the flag. */
  readonly key: string;
  readonly type: ValueType<T>;
  /** The value when nobody says one; undefined: the setting is then not set, or `fallback` gives it. */
  readonly default: T | undefined;
  /** A default that depends on the machine, and how it is called in help. */
  readonly fallback?: { readonly words: string; value(): T };
  /** One line, no full stop. */
  readonly description: string;
  /** Names of the original system, looked up after `MEDIA_AGGREGATOR_...`. `{x}` stands for the value of variable x. */
  readonly seedEnvironment?: readonly string[];
}

/** Settings by the field of `Settings` that each of them gives. */
export type Table = Readonly<Record<string, Setting<unknown>>>;

type ValueOf<S> = S extends { readonly type: ValueType<infer T> } ? T : never;

/** What each entry of a table must be, so that its default is a value of its type. */
type Checked<T> = { readonly [K in keyof T]: Setting<ValueOf<T[K]>> };

/** A part of the table of all settings. The entries keep their exact types, from which those of the settings follow. */
export function table<const T extends Table>(entries: T & Checked<T>): T {
  return entries;
}

/** A setting that always has a value: it has a default, or finds one. */
type IsAlwaysSet<S> = S extends { readonly default: undefined }
  ? S extends { readonly fallback: object }
    ? true
    : false
  : true;

/** The values of a table: a setting that may be not set is optional. */
export type SettingsOf<T> = Plain<
  { readonly [K in keyof T as IsAlwaysSet<T[K]> extends true ? K : never]: ValueOf<T[K]> } & {
    readonly [K in keyof T as IsAlwaysSet<T[K]> extends true ? never : K]?: ValueOf<T[K]>;
  }
>;

type Plain<T> = { [K in keyof T]: T[K] };
