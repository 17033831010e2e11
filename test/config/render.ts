import { settingRows } from '../../src/config/index.js';

const groups = [
  ['node', 'The node'],
  ['media', 'Media'],
] as const;

/** docs/settings.md, as the table of settings has it. */
export function renderSettingsPage(): string {
  const lines = [
    '# Settings',
    '',
    'Each setting can be given in four places; the first that has it wins:',
    '',
    '1. a flag of `media-aggregator serve` (`npm start -- FLAGS` hands them on): `--rtmp-port 1936`',
    '2. an environment variable: `MEDIA_AGGREGATOR_RTMP_PORT=1936`; an empty one counts as not set',
    '3. the file `media-aggregator.yaml` in the working folder, or the one that `--config FILE` or',
    '   `MEDIA_AGGREGATOR_CONFIG` names: `rtmp-port: 1936`',
    '4. the default',
    '',
    'The key in the file is the flag without its dashes. A key that does not exist, a value of the wrong form and a value',
    'out of range stop the start with a message that names the key, the value and what would be right.',
    '`examples/media-aggregator.yaml` has all keys with their defaults. `GET /v1/config` tells what a running aggregator',
    'uses, and where each value came from.',
    '',
    '- **Durations** have a unit: `250ms`, `3s`, `2m`, `1h`. A bare number is refused.',
    '- **Sizes** are bytes, or have a unit: `512KB`, `8MB`, `1GB` (1 KB = 1024 bytes).',
    '- **Ports**: 0 takes any free port; the line that `serve` prints and `runtime.json` in the data folder say which.',
    '',
  ];
  for (const [group, title] of groups) {
    lines.push(
      `## ${title}`,
      '',
      '| key | default | range | what it is | variables |',
      '| --- | --- | --- | --- | --- |',
    );
    for (const row of settingRows.filter((each) => each.group === group)) {
      const fallback = row.defaultIsValue ? `\`${row.defaultText}\`` : (row.defaultText ?? 'not set');
      const variables = row.environment.map((name) => `\`${name}\``).join(', ');
      lines.push(`| \`${row.key}\` | ${fallback} | ${row.rule} | ${row.description} | ${variables} |`);
    }
    lines.push('');
  }
  lines.push(
    '## Variables of the original system',
    '',
    'The container of the original media aggregator was configured by variables, which are still understood. Our own',
    'variable of the same setting wins.',
    '',
    '- `container_name` is `resource-id`. Without either it is the host name.',
    '- `event` is `location`.',
    '- `{name}_{vendor}_{version}_rtmp_ip` is `advertise-host`; `{name}`, `{vendor}` and `{version}` stand for the values of',
    '  the variables `name`, `vendor` and `version`: with `name=ma`, `vendor=eu.5gtango` and `version=0.4` it is the',
    '  variable `ma_eu.5gtango_0.4_rtmp_ip`.',
    '',
    'Variables that Kubernetes sets for services called `media-aggregator...` (`MEDIA_AGGREGATOR_SERVICE_HOST`,',
    '`MEDIA_AGGREGATOR_RTMP_PORT=tcp://10.0.0.1:1935` and the like) are ignored.',
    '',
    '## Commands that talk to a running aggregator',
    '',
    '`camera`, `push`, `engine`, `token` and `status` find it by `--api URL`, else by the variable `MEDIA_AGGREGATOR_API`, else by',
    '`runtime.json` in the data folder (`--data-dir`, found as above), or by `api.sock` there where a full disk took no such file.',
    '',
  );
  return lines.join('\n');
}

/** examples/media-aggregator.yaml: every key, as a comment with its default. */
export function renderSampleFile(): string {
  const lines = [
    '# Settings of media-aggregator. Every key is here, as a comment with its default; take the "#" away to change one.',
    '# Flags and environment variables go over this file. docs/settings.md explains the forms of values.',
  ];
  for (const [group, title] of groups) {
    lines.push('', `# ---- ${title} ----`);
    for (const row of settingRows.filter((each) => each.group === group)) {
      const fallback = row.defaultIsValue ? '' : ` Default: ${row.defaultText ?? 'not set'}.`;
      lines.push('', `# ${row.description}.${fallback}`, `# ${row.rule[0]?.toUpperCase()}${row.rule.slice(1)}.`);
      lines.push(`#${row.key}:${row.defaultIsValue ? ` ${row.defaultText}` : ''}`);
    }
  }
  return `${lines.join('\n')}\n`;
}
