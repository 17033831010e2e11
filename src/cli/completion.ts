import { type CommandFacts, eachCommand, type OptionFacts } from './command-tree.js';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

const program = 'media-aggregator';

/** The script that teaches a shell to complete the commands and their options. */
export function completionScript(shell: Shell, root: CommandFacts): string {
  if (shell === 'fish') return fishScript(root);
  return shell === 'bash' ? bashScript(root) : zshScript(root);
}

const flagsOf = (command: CommandFacts): string[] => command.options.flatMap(({ flags }) => flags);
const namesOf = (command: CommandFacts): string[] =>
  command.children.flatMap(({ path, aliases }) => [path.at(-1) ?? '', ...aliases]);
const choicesOf = (command: CommandFacts): string[] => command.arguments.flatMap(({ choices }) => choices);
const pathOf = (command: CommandFacts): string => command.path.join(' ');

/** All commands under each of their names: shells know them by what was typed. */
function* eachName(root: CommandFacts): Generator<CommandFacts, undefined> {
  for (const command of eachCommand(root)) {
    yield command;
    for (const alias of command.aliases) yield { ...command, path: [...command.path.slice(0, -1), alias] };
  }
  return undefined;
}

/** Whether the value of an option, or what a command takes, is a file. */
function isFile(name: string): boolean {
  return /file|folder|key|cert|ca>|binary|template|conf/i.test(name);
}

function bashScript(root: CommandFacts): string {
  const words: string[] = [];
  const values: string[] = [];
  for (const command of eachName(root)) {
    const all = [...namesOf(command), ...choicesOf(command), ...flagsOf(command)].join(' ');
    words.push(`    '${pathOf(command)}') words='${all}' ;;`);
    for (const option of command.options) {
      if (option.value === undefined) continue;
      const what = option.choices.length > 0 ? `words='${option.choices.join(' ')}'` : `kind=${kindOf(option)}`;
      values.push(`    ${option.flags.map((flag) => `'${pathOf(command)} ${flag}'`).join('|')}) ${what} ;;`);
    }
  }
  return `# bash completion of ${program}: source it, or put it into /etc/bash_completion.d/
_media_aggregator() {
  local word=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} path='' words='' kind='' i next
  for ((i = 1; i < COMP_CWORD; i++)); do
    next=\${path:+$path }\${COMP_WORDS[i]}
    case " ${[...eachName(root)].map((one) => `|${pathOf(one)}|`).join(' ')} " in
      *"|$next|"*) path=$next ;;
    esac
  done
  case "$path $previous" in
${values.join('\n')}
  esac
  if [[ $kind == file ]]; then COMPREPLY=($(compgen -f -- "$word")); return; fi
  if [[ $kind == text ]]; then COMPREPLY=(); return; fi
  if [[ -z $words ]]; then
    case "$path" in
${words.join('\n')}
    esac
    if [[ $word != -* ]]; then COMPREPLY=($(compgen -W "$words" -- "$word") $(compgen -f -- "$word")); return; fi
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o filenames -F _media_aggregator ${program}
`;
}

function kindOf({ value }: OptionFacts): 'file' | 'text' {
  return isFile(value ?? '') ? 'file' : 'text';
}

function zshScript(root: CommandFacts): string {
  const cases: string[] = [];
  for (const command of eachName(root)) {
    const words = command.children.flatMap(({ path, aliases, description }) =>
      [path.at(-1), ...aliases].map((name) => `${name}:${description}`),
    );
    const names = [...words, ...choicesOf(command)].map((word) => `      ${zshQuoted(word)}`);
    const options = command.options.flatMap(({ flags, description }) =>
      flags.map((flag) => `      ${zshQuoted(`${flag}:${description}`)}`),
    );
    cases.push(`    ${zshQuoted(pathOf(command))})
      names=(
${names.join('\n')}
      )
      options=(
${options.join('\n')}
      ) ;;`);
  }
  return `#compdef ${program}
# zsh completion of ${program}: put it as _${program} into a folder of $fpath
_media_aggregator() {
  local path_='' next i
  local -a names options known
  known=(${[...eachName(root)].map((one) => zshQuoted(pathOf(one))).join(' ')})
  for ((i = 2; i < CURRENT; i++)); do
    next=\${path_:+$path_ }\${words[i]}
    if (( \${known[(Ie)$next]} )); then path_=$next; fi
  done
  case $path_ in
${cases.join('\n')}
  esac
  if [[ \${words[CURRENT]} == -* ]]; then
    _describe -o option options
  elif (( \${#names} )); then
    _describe command names
  else
    _files
  fi
}
if [[ $funcstack[1] == _media_aggregator ]]; then _media_aggregator "$@"; else compdef _media_aggregator ${program}; fi
`;
}

/** In _describe a colon parts the word from its description. */
function zshQuoted(text: string): string {
  const [word = '', ...rest] = text.split(':');
  const escaped = rest.length === 0 ? word : `${word}:${rest.join('\\:')}`;
  return `'${escaped.replaceAll("'", "'\\''")}'`;
}

function fishScript(root: CommandFacts): string {
  const lines = [
    `# fish completion of ${program}: put it into ~/.config/fish/completions/`,
    `complete -c ${program} -f`,
  ];
  for (const command of eachCommand(root)) {
    const when = fishCondition(command);
    for (const { path, aliases, description } of command.children) {
      for (const name of [path.at(-1), ...aliases]) {
        lines.push(`complete -c ${program} ${when} -a ${name} -d ${fishQuoted(description)}`);
      }
    }
    for (const choice of choicesOf(command)) lines.push(`complete -c ${program} ${when} -a ${choice}`);
    for (const { flags, value, description, choices } of command.options) {
      const names = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
      const takes = value === undefined ? '' : isFile(value) ? ' -r -F' : ' -x';
      const values = choices.length === 0 ? '' : ` -a ${fishQuoted(choices.join(' '))}`;
      lines.push(`complete -c ${program} ${when} ${names.join(' ')}${takes}${values} -d ${fishQuoted(description)}`);
    }
    if (command.children.length === 0 && command.arguments.some(({ name }) => isFile(name))) {
      lines.push(`complete -c ${program} ${when} -F`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** At the place of the command itself: all its words were typed, and none of its children's. */
function fishCondition(command: CommandFacts): string {
  if (command.path.length === 0) return '-n __fish_use_subcommand';
  const seen = command.path.map((word, index) =>
    ['__fish_seen_subcommand_from', word, ...(index === command.path.length - 1 ? command.aliases : [])].join(' '),
  );
  const names = namesOf(command);
  const notBelow = names.length === 0 ? [] : [`not __fish_seen_subcommand_from ${names.join(' ')}`];
  return `-n ${fishQuoted([...seen, ...notBelow].join('; and '))}`;
}

function fishQuoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
