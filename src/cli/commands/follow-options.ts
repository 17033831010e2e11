import { type Command, Option } from 'commander';
import { CodedError } from '../../errors.js';
import { type ClientOptions, withClientOptions } from './shared.js';

export interface FollowOptions extends ClientOptions {
  readonly follow?: boolean;
  readonly lines: string;
  readonly output?: 'text' | 'json';
}

const maxCount = 2000;

/** The options of the commands that list what happened, and go on with what happens. */
export function withFollowOptions(command: Command, things: string): Command {
  return withClientOptions(command)
    .option('-f, --follow', `keep printing new ${things} until stopped (Ctrl-C)`)
    .option('-n, --lines <count>', `start with this many of the last ${things}`, '50')
    .addOption(new Option('-o, --output <form>', 'output format: readable lines, or JSON').choices(['text', 'json']));
}

/** @throws CodedError USAGE */
export function countOf(text: string): number {
  const count = Number(text);
  if (/^[0-9]{1,6}$/.test(text) && count <= maxCount) return count;
  throw new CodedError('USAGE', `--lines is "${text}", but must be a whole number from 0 to ${maxCount}`);
}
