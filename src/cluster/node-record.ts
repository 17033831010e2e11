import { createHmac, timingSafeEqual } from 'node:crypto';
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { ClusterSecret } from './secret.js';

const addressSchema = (scheme: string) =>
  Type.String({ maxLength: 300, pattern: `^${scheme}://(?:[A-Za-z0-9._-]+|\\[[0-9A-Fa-f:.]+\\]):[0-9]{1,5}$` });

/** What a node tells the others of itself. Nodes of other versions may tell more. */
const NodeSchema = Type.Object({
  id: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$' }),
  location: Type.Optional(Type.String({ maxLength: 128 })),
  /** `rtmp://HOST:PORT`, without a path. */
  rtmp: addressSchema('rtmp'),
  rtmps: Type.Optional(addressSchema('rtmps')),
  srt: Type.Optional(addressSchema('srt')),
  /** `http://HOST:PORT`. */
  api: addressSchema('https?'),
  version: Type.String({ maxLength: 64 }),
  startedAt: Type.String({ maxLength: 40 }),
  /** Takes no new cameras. */
  isDraining: Type.Optional(Type.Boolean()),
  /** By which rules it takes streams of other nodes; missing: it takes none. */
  relays: Type.Optional(Type.Integer({ minimum: 1 })),
  /** Nodes that it cannot reach now. */
  cannotReach: Type.Optional(Type.Array(Type.String({ maxLength: 64 }), { maxItems: 1000 })),
  /** What it may carry; missing: it sets no limit. */
  capacity: Type.Optional(
    Type.Object({
      outMbps: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000_000 })),
      cameras: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
    }),
  ),
  /** What it carries: told seldom, when it is another by a tenth. */
  load: Type.Optional(Type.Object({ outMbps: Type.Integer({ minimum: 0 }), cameras: Type.Integer({ minimum: 0 }) })),
  /** It takes no new cameras until it has room. */
  isFull: Type.Optional(Type.Boolean()),
  /** Says which data folder it runs on, and nothing of it: a later life on it knows its own. */
  folder: Type.Optional(Type.String({ pattern: '^[0-9a-f]{32}$' })),
  /** Says which of all copies of that folder it is, on this start of its machine: equal only for lives one after the other. */
  copy: Type.Optional(Type.String({ pattern: '^[0-9a-f]{32}$' })),
  /** Shows that a node of this cluster wrote the id and the addresses: `ID.MAC`, by the cluster's secret. */
  proof: Type.Optional(Type.String({ maxLength: 100 })),
  /** The same of `srt`, which `proof` leaves out: nodes of older versions do not know it. */
  srtProof: Type.Optional(Type.String({ maxLength: 100 })),
});
const validator = Compile(NodeSchema);

export type ClusterNode = Static<typeof NodeSchema>;
/** What a node says, before it is signed. */
export type UnsignedNode = Omit<ClusterNode, 'proof' | 'srtProof'>;

/** What was read of a node: what counts of it, and what does not, in words. */
export interface NodeReading {
  readonly node?: ClusterNode;
  readonly refusal?: string;
}

/**
 * The records of nodes, signed with the cluster's secret: other nodes send tokens and streams to the addresses in them. Without
 * that, who may write to etcd would be sent them.
 */
export class NodeRecords {
  readonly #secret: ClusterSecret;
  readonly #prefix: string;

  /** @param prefix of the cluster; ends with "/" */
  constructor(secret: ClusterSecret, prefix: string) {
    this.#secret = secret;
    this.#prefix = prefix;
  }

  signed({ proof: _, srtProof: _srt, ...node }: UnsignedNode & Partial<ClusterNode>): ClusterNode {
    const { id } = this.#secret;
    const srtProof = node.srt === undefined ? {} : { srtProof: this.#proof(srtFacts(node), id) };
    return { ...node, proof: this.#proof(addressFacts(node), id), ...srtProof };
  }

  /** What a key says. Its address for SRT is left out when that is not signed. @param id as the key has it */
  read(id: string, value: Buffer): NodeReading {
    const node = nodeIn(value);
    if (node === undefined) return { refusal: 'it is no description of a node' };
    if (node.id !== id) return { refusal: `it is the description of another node, ${node.id}` };
    if (!this.#isProven(addressFacts(node), node.proof)) {
      return { refusal: 'it is not signed with the secret of this cluster' };
    }
    if (node.srt === undefined || this.#isProven(srtFacts(node), node.srtProof)) return { node };
    const { srt: _, srtProof: _proof, ...rest } = node;
    return { node: rest, refusal: 'its address for SRT is not signed with the secret of this cluster, and left out' };
  }

  /** `ID.MAC`; empty: there is no secret of this id. */
  #proof(facts: readonly string[], secretId: string): string {
    const key = this.#secret.keyFor('node', secretId);
    if (key === undefined) return '';
    const mac = createHmac('sha256', key).update(JSON.stringify([this.#prefix, ...facts]));
    return `${secretId}.${mac.digest('base64url')}`;
  }

  #isProven(facts: readonly string[], proof = ''): boolean {
    const given = Buffer.from(proof);
    const right = Buffer.from(this.#proof(facts, proof.split('.', 1)[0] ?? ''));
    return right.length > 0 && given.length === right.length && timingSafeEqual(given, right);
  }
}

function addressFacts({ id, api, rtmp, rtmps = '' }: UnsignedNode): string[] {
  return [id, api, rtmp, rtmps];
}

/** Of another number than `addressFacts`, so that neither signature is good as the other one. */
function srtFacts({ id, srt = '' }: UnsignedNode): string[] {
  return [id, 'srt', srt];
}

/** What a key says; undefined for what no node writes. */
function nodeIn(value: Buffer): ClusterNode | undefined {
  if (value.length > 16_384) return undefined;
  try {
    const parsed: unknown = JSON.parse(value.toString());
    return validator.Check(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}
