import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { defaultSettings, loadSettings, settingRows } from '../../src/config/index.js';
import { renderSampleFile, renderSettingsPage } from './render.js';

// `npx vitest run test/config -u` writes both files anew after a change of the table.

test('docs/settings.md says what the table of settings says', async () => {
  await expect(renderSettingsPage()).toMatchFileSnapshot('../../docs/settings.md');
});

test('examples/media-aggregator.yaml has every key with its default', async () => {
  await expect(renderSampleFile()).toMatchFileSnapshot('../../examples/media-aggregator.yaml');
});

test('the sample file is valid, and changes nothing, once its comments are taken away', () => {
  const path = new URL('../../examples/media-aggregator.yaml', import.meta.url);
  const text = readFileSync(path, 'utf8').replace(/^#([a-z-]+:)/gm, '$1');
  const keys = [...text.matchAll(/^([a-z-]+):/gm)].map((match) => match[1]);
  expect(keys).toEqual(settingRows.map((row) => row.key));
  const cwd = mkdtempSync(join(tmpdir(), 'sample-'));
  try {
    writeFileSync(join(cwd, 'media-aggregator.yaml'), text);
    const { settings, sources } = loadSettings({ flags: {}, env: {}, cwd });
    expect(settings).toEqual(defaultSettings());
    expect(sources['queue-max-bytes']).toBe('file media-aggregator.yaml');
  } finally {
    rmSync(cwd, { recursive: true });
  }
});
