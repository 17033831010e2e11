import { type CommandFacts, eachCommand, type OptionFacts } from './command-tree.js';

/** The man page of the program, made of its help: roff with the man macros (man(7)). */
export function manPage(root: CommandFacts, version: string): string {
  const commands = [...eachCommand(root)];
  const parts = [
    `.\\" Made by "media-aggregator man"; the help of the commands is its source.`,
    `.TH MEDIA\\-AGGREGATOR 1 "" "media\\-aggregator ${escaped(version)}" "User Commands"`,
    '.SH NAME',
    `media\\-aggregator \\- ${escaped(lowerFirst(root.description))}`,
    '.SH SYNOPSIS',
    ...root.children.flatMap((command) => [
      '.br',
      `.B media\\-aggregator ${escaped(command.path.join(' '))}`,
      '\\&...',
    ]),
    '.SH DESCRIPTION',
    escaped(root.description),
    '.SH OPTIONS',
    ...root.options.flatMap(optionLines),
    '.SH COMMANDS',
  ];
  for (const command of commands) {
    if (command.path.length === 0) continue;
    parts.push(`.SS ${escaped(command.usage)}`, escaped(command.description));
    for (const { name, description } of command.arguments) {
      if (description !== '') parts.push('.TP', `.I ${escaped(name)}`, escaped(description));
    }
    for (const [group, options] of groups(command.options)) {
      if (group !== undefined) parts.push('.P', `.B ${escaped(group)}`);
      parts.push(...options.flatMap(optionLines));
    }
    parts.push(...afterLines(command.after));
  }
  parts.push('.SH NOTES', ...afterLines(root.after));
  return `${parts.filter((line) => line !== '').join('\n')}\n`;
}

function optionLines({ flags, value, description }: OptionFacts): string[] {
  const names = flags.map((flag) => `\\fB${escaped(flag)}\\fR`).join(', ');
  return ['.TP', value === undefined ? names : `${names} \\fI${escaped(value)}\\fR`, escaped(description)];
}

function groups(options: readonly OptionFacts[]): Map<string | undefined, OptionFacts[]> {
  const byGroup = new Map<string | undefined, OptionFacts[]>();
  for (const option of options) byGroup.set(option.group, [...(byGroup.get(option.group) ?? []), option]);
  return byGroup;
}

/** Text as it stands, with its line ends: examples, and tables in the help. */
function afterLines(text: string): string[] {
  const lines = text.trim().split('\n');
  if (text.trim() === '') return [];
  return ['.P', '.nf', ...lines.map((line) => (line === '' ? '\\&' : escaped(line))), '.fi'];
}

/** Hyphens that are to be copied, backslashes, and what would be a request at the start of a line. */
function escaped(text: string): string {
  const flat = text.replaceAll('\\', '\\e').replaceAll('-', '\\-');
  return /^[.']/.test(flat) ? `\\&${flat}` : flat;
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1).replace(/\.$/, '');
}
