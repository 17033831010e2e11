import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { describeCommands, eachCommand } from '../../src/cli/command-tree.js';
import { buildProgram } from '../../src/cli/program.js';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/recipes.md'), 'utf8');
const blocks = [...page.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language = '', text = '']) => ({
  language,
  text,
}));
const nowhere = { write() {}, isTTY: false };
const commands = [
  ...eachCommand(describeCommands(buildProgram({ out: nowhere, err: nowhere, env: {}, cwd: '/' }, () => {}))),
];

describe('docs/recipes.md', () => {
  test('is linked under Start, and its table leads to its chapters', () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8');
    const start = readme.split('\n## Start\n')[1]?.split('\n## ')[0];
    expect(start).toContain('(docs/recipes.md)');
    const anchors = [...page.matchAll(/^## (.*)$/gm)].map(([, title = '']) =>
      title.toLowerCase().replace(/,/g, '').replaceAll(' ', '-'),
    );
    const links = [...page.matchAll(/\]\(#([^)]+)\)/g)].map(([, link]) => link);
    expect(links.length).toBeGreaterThan(10);
    expect([...new Set(links)].filter((link) => !anchors.includes(link ?? ''))).toEqual([]);
    expect(anchors.filter((anchor) => !links.includes(anchor))).toEqual([]);
  });

  const lines = blocks
    .filter(({ language }) => language === 'sh')
    .flatMap(({ text }) => text.replaceAll('\\\n', ' ').split('\n'))
    .map((line) => /(?:^|-- |exec aggregator )(media-aggregator (?!\.).*)$/.exec(line)?.[1])
    .filter((line) => line !== undefined);

  test('has the commands in it', () => expect(lines.length).toBeGreaterThan(20));

  test.each(lines)('names commands and options that there are: %s', (line) => {
    const words =
      line
        .split(/[<>#|]/, 1)[0]
        ?.trim()
        .split(/\s+/)
        .slice(1) ?? [];
    const path = words.filter((word) => /^[a-z-]+$/.test(word) && !word.startsWith('-')).slice(0, 2);
    const found =
      commands.find((command) => command.path.join(' ') === path.join(' ')) ??
      commands.find((command) => command.path.join(' ') === path[0]) ??
      commands.find((command) => command.path.length === 0);
    if (words[0]?.startsWith('-') !== true) expect(found?.path.length).toBeGreaterThan(0);
    const flags = found?.options.flatMap((option) => option.flags) ?? [];
    expect(words.filter((word) => /^-/.test(word) && word !== '-').filter((word) => !flags.includes(word))).toEqual([]);
  });

  test('has a manifest for Kubernetes whose parts fit together', () => {
    const text =
      blocks.find(({ language, text: block }) => language === 'yaml' && block.includes('Deployment'))?.text ?? '';
    const documents = parseAllDocuments(text).map((document) => document.toJS());
    expect(documents.map(({ kind }) => kind)).toEqual(['PersistentVolumeClaim', 'Deployment', 'Service', 'Service']);
    const [claim, deployment, ...services] = documents;
    const { spec } = deployment.spec.template;
    expect(spec.volumes[0].persistentVolumeClaim.claimName).toBe(claim.metadata.name);
    const [container] = spec.containers;
    const ports = container.ports.map(({ name }: { name: string }) => name);
    for (const service of services) {
      expect(service.spec.selector).toEqual(deployment.spec.template.metadata.labels);
      for (const { targetPort } of service.spec.ports) expect(ports).toContain(targetPort);
    }
    expect(container.args[container.args.indexOf('--data-dir') + 1]).toBe(container.volumeMounts[0].mountPath);
  });
});
