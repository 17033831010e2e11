import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { adminTokenFileName } from '../../access/admin-token.js';
import { readPrivate } from '../../access/private-file.js';
import { decodeTokens } from '../../access/token-file.js';
import { tokensFileName } from '../../access/token-store.js';
import { messageOf, StateError } from '../../errors.js';
import type { Replaced } from '../../files/put-back.js';
import { keepCopy, writeWhole } from '../../files/write.js';
import { parseJson } from '../../json/strict-json.js';
import { isRecord } from './record.js';

/** The files of a data folder, beside the state, that a node is itself by; what each is for, in words. */
export const secretFiles: Readonly<Record<string, { readonly what: string; readonly check: (text: string) => void }>> =
  {
    'stream-secret': { what: 'what publish keys and play tokens are made from', check: checkKey },
    [tokensFileName]: {
      what: 'the hashes of the tokens of the API',
      check: (text) => void decodeTokens(tokensFileName, text),
    },
    [adminTokenFileName]: { what: 'the admin token', check: checkToken },
    'webhook-key': { what: 'the key that webhooks are signed with', check: checkKey },
    'etag-key': { what: 'the key of the entity tags', check: checkKey },
  };

export type Secrets = Readonly<Record<string, string>>;

/** The name under which they stand in a backup, beside `cameras` and `engines`. */
const secretsKey = 'secrets';

/** The secrets that there are in a data folder. @throws ConfigError ACCESS_UNREADABLE */
export async function readSecrets(folder: string): Promise<Secrets> {
  const secrets: Record<string, string> = {};
  for (const name of Object.keys(secretFiles)) {
    const file = await readPrivate(join(folder, name));
    if (file !== undefined) secrets[name] = file.text;
  }
  return secrets;
}

/** A backup: the text of a state.json with the secrets behind the rest. */
export function joinSecrets(stateText: string, secrets: Secrets): string {
  const inner = JSON.stringify(secrets, null, 2).replaceAll('\n', '\n  ');
  return `${stateText.trimEnd().slice(0, -1).trimEnd()},\n  "${secretsKey}": ${inner}\n}\n`;
}

/**
 * Takes a backup apart. One without secrets stays as it is.
 * @returns the text of its state, and its secrets; undefined: it has none
 * @throws StateError STATE_INVALID for secrets that are none
 */
export function splitSecrets(text: string): { readonly stateText: string; readonly secrets: Secrets | undefined } {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch {
    // Reading the state says where it is wrong.
    return { stateText: text, secrets: undefined };
  }
  if (!isRecord(value) || !Object.hasOwn(value, secretsKey)) return { stateText: text, secrets: undefined };
  const { [secretsKey]: found, ...state } = value;
  return { stateText: `${JSON.stringify(state, null, 2)}\n`, secrets: checkedSecrets(found) };
}

function checkedSecrets(value: unknown): Secrets {
  if (!isRecord(value)) throw invalid('it must be an object with the files of secrets');
  const secrets: Record<string, string> = {};
  for (const [name, text] of Object.entries(value)) {
    const known = Object.hasOwn(secretFiles, name) ? secretFiles[name] : undefined;
    if (known === undefined) throw invalid(`"${name.slice(0, 40)}" is no file of secrets`);
    if (typeof text !== 'string') throw invalid(`"${name}" must be a text`);
    try {
      known.check(text);
    } catch (error) {
      throw invalid(`"${name}": ${messageOf(error)}`);
    }
    secrets[name] = text;
  }
  return secrets;
}

/** Names of the secrets that a folder has not, or has others of. */
export function differingSecrets(wanted: Secrets, present: Secrets): string[] {
  return Object.keys(wanted).filter((name) => wanted[name]?.trim() !== present[name]?.trim());
}

/** Puts secrets into a data folder; what was there before is kept beside it. @param replaced gets each before it is replaced */
export async function writeSecrets(
  folder: string,
  names: readonly string[],
  secrets: Secrets,
  replaced: Replaced[],
): Promise<void> {
  for (const name of names) {
    const path = join(folder, name);
    const isThere = (await readPrivate(path)) !== undefined;
    replaced.push({ path, kept: isThere ? await keepCopy(path, 'before-restore') : undefined });
    await writeWhole(path, secrets[name] ?? '');
    await chmod(path, 0o600);
  }
}

function checkKey(text: string): void {
  if (!/^[0-9a-f]{64}$/.test(text.trim())) throw new Error('it must be 64 hex digits');
}

function checkToken(text: string): void {
  if (!/^[\x21-\x7e]{32,8192}$/.test(text.trim()))
    throw new Error('it must be one line of at least 32 visible characters');
}

function invalid(rule: string): StateError {
  return new StateError('STATE_INVALID', `${secretsKey}: ${rule}`, { field: secretsKey });
}
