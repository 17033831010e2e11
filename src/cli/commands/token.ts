import { type Command, Option } from 'commander';
import { scopes } from '../../access/scopes.js';
import type { NewToken } from '../../client/index.js';
import { CodedError } from '../../errors.js';
import { cleanText } from '../../log/pino.js';
import { findApi } from '../find-api.js';
import { formatAge, json, table } from '../format.js';
import { headed } from '../headed.js';
import type { CliIo } from '../io.js';
import { type ClientOptions, withClientOptions } from './shared.js';

interface CreateOptions extends ClientOptions {
  readonly scope: NewToken['scope'];
  readonly expires?: string;
}

export function addTokenCommands(program: Command, io: CliIo): void {
  const token = program
    .command('token')
    .description('Create, list and revoke tokens for the API')
    .addHelpText(
      'after',
      `
Calls from other machines need a token; docs/api.md says more. The admin token is in the data folder.

Examples:
  $ media-aggregator token create content-manager --scope operate
  $ media-aggregator token list
  $ media-aggregator token revoke content-manager
`,
    );

  withClientOptions(token.command('create <name>'))
    .description('Create a token; it is printed only once')
    .addOption(
      new Option(
        '--scope <scope>',
        'what the token allows: read only views, operate also makes changes, admin also manages tokens',
      )
        .choices(scopes)
        .default('read'),
    )
    .option('--expires <when>', 'when it expires: 12h, 90d, or a time like 2030-01-31T00:00:00Z (default: never)')
    .addHelpText(
      'after',
      `
The token alone goes to standard output. It is stored as a hash only: whoever loses it makes another one.

Examples:
  $ media-aggregator token create grafana
  $ media-aggregator token create content-manager --scope operate --expires 365d > token
  $ media-aggregator camera list --api https://aggregator.example.org:5000 --token-file token
`,
    )
    .action(async (name: string, options: CreateOptions) => {
      const { scope, expires } = options;
      const expiresAt = expires === undefined ? undefined : endOf(expires);
      const made = await findApi(options, io).createToken({
        name,
        scope,
        ...(expiresAt === undefined ? {} : { expiresAt }),
      });
      if (options.json) {
        io.out.write(json(made));
        return;
      }
      const end = made.expiresAt === null ? 'does not end by itself' : `ends at ${made.expiresAt}`;
      io.err.write(
        `${cleanText(`Token ${name} with the scope ${scope} was created; it ${end}. It is shown only once:`)}\n`,
      );
      io.out.write(`${cleanText(made.token)}\n`);
    });

  withClientOptions(token.command('list'))
    .description('List the tokens, without their secrets')
    .addHelpText('after', '\nExamples:\n  $ media-aggregator token list\n')
    .action(async (options: ClientOptions) => {
      const tokens = await findApi(options, io).tokens();
      if (options.json) {
        io.out.write(json(tokens));
      } else if (tokens.length === 0) {
        io.out.write(
          'There is no token except the admin token. Create one with "media-aggregator token create NAME".\n',
        );
      } else {
        const rows = tokens.map((each) => [
          each.name,
          each.scope,
          each.createdAt.slice(0, 10),
          each.expiresAt,
          each.lastUsedAt === null ? null : `${formatAge(each.lastUsedAt)} ago`,
        ]);
        io.out.write(headed(table(['NAME', 'SCOPE', 'MADE', 'ENDS', 'LAST USED'], rows), io));
      }
    });

  withClientOptions(token.command('revoke <name>'))
    .description('Revoke a token; it stops working at once')
    .addHelpText('after', '\nExamples:\n  $ media-aggregator token revoke grafana\n')
    .action(async (name: string, options: ClientOptions) => {
      await findApi(options, io).revokeToken(name);
      io.out.write(options.json ? json({ revoked: name }) : `Token ${cleanText(name)} was revoked.\n`);
    });
}

const unitsMs: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** @throws CodedError USAGE */
function endOf(text: string): string {
  const [, count, unit = ''] = /^(\d{1,5})([mhd])$/.exec(text) ?? [];
  const endMs = count === undefined ? Date.parse(text) : Date.now() + Number(count) * (unitsMs[unit] ?? 0);
  if (!Number.isNaN(endMs) && (count !== undefined || /^\d{4}-\d\d-\d\d/.test(text)))
    return new Date(endMs).toISOString();
  throw new CodedError('USAGE', `--expires is "${cleanText(text)}", but must be like 12h, 90d or 2030-01-31T00:00:00Z`);
}
