import { decodeTokens, encodeTokens, type StoredToken } from '../../access/token-file.js';
import { tokensFileName } from '../../access/token-store.js';
import type { SharedTexts } from '../../cluster/shared-texts.js';
import { fileCamera, fileEngine } from '../../model/document/encode.js';
import type { Camera, DesiredState, StreamingEngine } from '../../model/model.js';
import { type SharedState, streamSecretName } from '../cluster.js';
import type { Secrets } from './secrets.js';

/** What of a node's secrets all nodes of a cluster share, by the names of their files. */
export function sharedSecrets({ tokens, secrets }: SharedState): Secrets {
  const stream = secrets.all.get(streamSecretName);
  const stored = tokensIn(tokens);
  return {
    ...(stream === undefined ? {} : { 'stream-secret': `${stream}\n` }),
    ...(stored.size === 0 ? {} : { [tokensFileName]: encodeTokens(stored) }),
  };
}

/** The tokens of a cluster, by name. */
export function tokensIn({ all }: SharedTexts): Map<string, StoredToken> {
  const tokens = new Map<string, StoredToken>();
  for (const [name, text] of all) {
    const stored = decodeTokens(`the token ${name} in etcd`, text).get(name);
    if (stored !== undefined) tokens.set(name, stored);
  }
  return tokens;
}

/** The tokens of a node's file or of a backup, by name. */
export function tokensOf(secrets: Secrets): Map<string, StoredToken> {
  const text = secrets[tokensFileName];
  return text === undefined ? new Map() : decodeTokens(tokensFileName, text);
}

/** A token as it stands in etcd. */
export function tokenText(stored: StoredToken): string {
  return encodeTokens(new Map([[stored.name, stored]]));
}

/** What publish keys are made from, of a node or of a backup; undefined: it has none. */
export function streamSecretOf(secrets: Secrets): string | undefined {
  return secrets['stream-secret']?.trim();
}

/** What is to be made, what is there already, and what is there as something else. */
export interface Difference<T> {
  readonly missing: readonly T[];
  readonly same: readonly T[];
  readonly conflicts: readonly T[];
}

/** Compares by what is in files. When a thing was made does not count. */
export function differenceOf(wanted: DesiredState, present: DesiredState) {
  const camera = (value: Camera): string => textOf(fileCamera(value));
  const engine = (value: StreamingEngine): string => textOf(fileEngine(value));
  return {
    cameras: compared(wanted.cameras, present.cameras, camera),
    engines: compared(wanted.engines, present.engines, engine),
  };
}

export function tokenDifference(wanted: ReadonlyMap<string, StoredToken>, present: ReadonlyMap<string, StoredToken>) {
  return compared(wanted, present, ({ id, scope, hash, expiresAt }) =>
    JSON.stringify([id, scope, hash.toString('hex'), expiresAt ?? null]),
  );
}

function compared<T>(
  wanted: ReadonlyMap<string, T>,
  present: ReadonlyMap<string, T>,
  text: (value: T) => string,
): Difference<string> {
  const difference = { missing: [] as string[], same: [] as string[], conflicts: [] as string[] };
  for (const [name, value] of wanted) {
    const known = present.get(name);
    if (known === undefined) difference.missing.push(name);
    else if (text(known) === text(value)) difference.same.push(name);
    else difference.conflicts.push(name);
  }
  return difference;
}

function textOf(value: object): string {
  return JSON.stringify(value, (key, inner: unknown) => (key === 'createdAt' ? undefined : inner));
}
