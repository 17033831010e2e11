import { EventEmitter } from 'node:events';
import type { Argument, Command, Option } from 'commander';

/** An option as people type it. */
export interface OptionFacts {
  /** `-v`, `--data-dir`. */
  readonly flags: readonly string[];
  /** `<folder>`; undefined for one without a value. */
  readonly value: string | undefined;
  readonly description: string;
  readonly choices: readonly string[];
  /** The heading under which the help has it. */
  readonly group: string | undefined;
}

/** A command with what may stand behind it: what completion and the man page are made of. */
export interface CommandFacts {
  /** Below the program: empty for itself, `['camera', 'add']`. */
  readonly path: readonly string[];
  /** Other names of the last part of the path. */
  readonly aliases: readonly string[];
  readonly description: string;
  readonly usage: string;
  readonly arguments: readonly {
    readonly name: string;
    readonly description: string;
    readonly choices: readonly string[];
  }[];
  readonly options: readonly OptionFacts[];
  readonly children: readonly CommandFacts[];
  /** The lines of "Examples:", and what the help says before them. */
  readonly after: string;
}

/** The commands of the program as facts, so that nothing has to be written twice. */
export function describeCommands(command: Command, path: readonly string[] = []): CommandFacts {
  const help = command.createHelp();
  const children = help.visibleCommands(command).filter((child) => child.name() !== 'help');
  return {
    path,
    aliases: path.length === 0 ? [] : command.aliases(),
    description: command.description(),
    usage: help.commandUsage(command),
    arguments: command.registeredArguments.map((argument: Argument) => ({
      name: argument.required ? `<${argument.name()}>` : `[${argument.name()}]`,
      description: argument.description,
      choices: argument.argChoices ?? [],
    })),
    options: help.visibleOptions(command).map(describeOption),
    children: children.map((child) => describeCommands(child, [...path, child.name()])),
    after: textAfterHelp(command),
  };
}

function describeOption(option: Option): OptionFacts {
  const value = /[<[][^\]>]*[\]>]$/.exec(option.flags)?.[0];
  return {
    flags: [option.short, option.long].filter((flag) => flag !== undefined),
    value,
    description: option.description,
    choices: option.argChoices ?? [],
    group: option.helpGroupHeading,
  };
}

/** Commander keeps the text that was added to the help as a listener: it is asked to write it. */
function textAfterHelp(command: Command): string {
  const parts: string[] = [];
  const context = { error: false, command, write: (part: string) => void parts.push(part) };
  // Its types do not say so, but it is one.
  if (command instanceof EventEmitter) command.emit('afterHelp', context);
  return parts.join('');
}

/** All commands, parents first. */
export function* eachCommand(command: CommandFacts): Generator<CommandFacts, undefined> {
  yield command;
  for (const child of command.children) yield* eachCommand(child);
  return undefined;
}
