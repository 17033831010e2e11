import { Argument, type Command } from 'commander';
import { describeCommands } from '../command-tree.js';
import { completionScript, type Shell, shells } from '../completion.js';
import type { CliIo } from '../io.js';
import { manPage } from '../man-page.js';
import { version } from '../version.js';

/** What is made of the tree of commands itself. */
export function addShellCommands(program: Command, io: CliIo): void {
  program
    .command('completion')
    .description('Print a script for shell completion of commands and options')
    .addArgument(new Argument('<shell>', 'the shell').choices(shells))
    .addHelpText(
      'after',
      `
Examples:
  $ source <(media-aggregator completion bash)
  $ media-aggregator completion zsh > "\${fpath[1]}/_media-aggregator"
  $ media-aggregator completion fish > ~/.config/fish/completions/media-aggregator.fish
`,
    )
    .action((shell: Shell) => {
      io.out.write(completionScript(shell, describeCommands(program)));
    });

  program
    .command('man')
    .description('Print the man page')
    .addHelpText(
      'after',
      `
Examples:
  $ media-aggregator man | man -l -
  $ media-aggregator man > /usr/local/share/man/man1/media-aggregator.1
`,
    )
    .action(() => {
      io.out.write(manPage(describeCommands(program), version));
    });
}
