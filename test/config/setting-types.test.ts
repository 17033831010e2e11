import { expect, expectTypeOf, test } from 'vitest';
import { defaultSettings, type Settings } from '../../src/config/index.js';
import { type Setting, table } from '../../src/config/setting.js';
import { mediaTable, nodeTable } from '../../src/config/table.js';
import { choiceType, portType } from '../../src/config/values.js';

test('the types of settings follow from their table: always set with a default or a fallback, else optional', () => {
  expectTypeOf<Settings['rtmpPort']>().toEqualTypeOf<number>();
  expectTypeOf<Settings['host']>().toEqualTypeOf<string>();
  expectTypeOf<Pick<Settings, 'rtmpsPort'>>().toEqualTypeOf<{ readonly rtmpsPort?: number }>();
  expectTypeOf<Settings['apiAuth']>().toEqualTypeOf<'auto' | 'on' | 'off'>();
  expectTypeOf<Settings['media']['socketMode']>().toEqualTypeOf<'auto' | 'uring' | 'direct' | 'plain'>();
  expectTypeOf<Pick<Settings['media'], 'pushAllow'>>().toEqualTypeOf<{ readonly pushAllow?: readonly string[] }>();
  // What the types promise is there.
  const settings = defaultSettings();
  const promised = (part: Readonly<Record<string, { readonly default: unknown; readonly fallback?: object }>>) =>
    Object.keys(part).filter((field) => part[field]?.default !== undefined || part[field]?.fallback !== undefined);
  expect(Object.keys(settings)).toEqual([...promised(nodeTable), 'media']);
  expect(Object.keys(settings.media)).toEqual(promised(mediaTable));
});

test('a default that is no value of its type is refused by the compiler', () => {
  // @ts-expect-error a text is no port
  table({ port: { key: 'port', type: portType(), default: '1935', description: 'A port' } });
  // @ts-expect-error it is none of the choices
  table({ mode: { key: 'mode', type: choiceType('on', 'off'), default: 'auto', description: 'A mode' } });
  // @ts-expect-error a fallback has the type, too
  const fallback: Setting<number>['fallback'] = { words: 'a word', value: () => 'a word' };
  expect(fallback).toBeDefined();
});
