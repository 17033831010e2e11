import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { decodeTokens } from '../../src/access/token-file.js';
import { parseStatistics } from '../../src/backend/nginx/statistics.js';
import { unseal } from '../../src/cli/backup/sealed.js';
import { splitSecrets } from '../../src/cli/backup/secrets.js';
import { readFleet } from '../../src/cli/fleet.js';
import { loadSettings } from '../../src/config/index.js';
import { CodedError } from '../../src/errors.js';
import { readCameraList } from '../../src/import/camera-list.js';
import { decodeState } from '../../src/model/document/decode.js';
import { emptyState } from '../../src/model/model.js';
import { parseNginxText } from '../../src/nginx-conf/parser.js';
import { Scope } from '../support/scope.js';

/*
 * Text that nests for thousands of levels: each reader refuses it with words. A stack that overflows may end the whole
 * process, with nothing that could be caught.
 */

const levels = 30_000;
const opened = (open: string, close: string): string => open.repeat(levels) + close.repeat(levels);
const json = `{"version":1,"cameras":${opened('[', ']')}}`;
const yaml = {
  'flow lists': `cameras: ${opened('[', ']')}`,
  'flow lists without an end': `cameras: ${'['.repeat(levels)}`,
  'flow maps': `cameras: ${'{a: '.repeat(levels)}${'}'.repeat(levels)}`,
  'lists on one line': `cameras:\n  ${'- '.repeat(levels)}x`,
  'keys of keys': '? '.repeat(levels),
  'maps by indentation': Array.from({ length: 1000 }, (_, level) => `${' '.repeat(level)}a:`).join('\n'),
  'a second document': `cameras: {}\n---\n${opened('[', ']')}`,
};

function settingsOf(text: string): unknown {
  const scope = new Scope();
  onTestFinished(() => scope.close());
  const folder = scope.temporaryFolder();
  writeFileSync(join(folder, 'media-aggregator.yaml'), text);
  return loadSettings({ flags: {}, env: {}, cwd: folder });
}

describe('a text that nests for thousands of levels is refused', () => {
  it.each(Object.entries(yaml))('YAML of %s, by apply and the settings', (_, text) => {
    expect(() => readFleet('fleet.yaml', text)).toThrow(/^fleet\.yaml: it is nested too deep, about line \d+$/);
    expect(() => settingsOf(text)).toThrow(
      /media-aggregator\.yaml cannot be used: it is nested too deep, about line \d+$/,
    );
  });

  it('YAML that nests through aliases', () => {
    const chain = Array.from({ length: 500 }, (_, at) => `a${at}: &a${at} [${at === 0 ? '' : `*a${at - 1}`}]`).join(
      '\n',
    );
    expect(() => readFleet('fleet.yaml', chain)).toThrow(CodedError);
    expect(() => settingsOf(chain)).toThrow(CodedError);
  });

  it('JSON of a state, a backup, tokens, a list of cameras', () => {
    expect(() => decodeState(json, emptyState, '2026-01-01T00:00:00.000Z')).toThrow(/nested too deep/);
    expect(splitSecrets(json)).toEqual({ stateText: json, secrets: undefined });
    expect(() => decodeTokens('tokens.json', json)).toThrow(/nested too deep/);
    for (const text of [`[${opened('[', ']')}]`, `{"name":"a"}\n{"name":${opened('[', ']')}}`]) {
      expect(readCameraList(text).problems[0]?.message).toMatch(/nested too deep/);
    }
  });

  it('the header of a sealed backup, nginx.conf, statistics of nginx', async () => {
    const header = `{"mediaAggregatorSealedBackup":${opened('[', ']')}}\n`;
    await expect(unseal(header, 'a passphrase that is long')).rejects.toThrow(CodedError);
    expect(() => parseNginxText(opened('a {', '}'))).toThrow(CodedError);
    expect(() => parseStatistics(`<rtmp>${opened('<a>', '</a>')}</rtmp>`)).toThrow(/nested deeper/);
  });
});
