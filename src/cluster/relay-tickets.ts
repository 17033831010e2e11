import { CodedError } from '../errors.js';
import type { ClusterSecret, SignatureRefusal } from './secret.js';

/** Where a stream comes from that another node sends. */
export interface TicketOrigin {
  /** The node that sends it. */
  readonly from: string;
  /** The node that has the camera's publisher. */
  readonly owner: string;
  /** Of the owner's claim; 0: it could not claim, for want of etcd. */
  readonly epoch: number;
  /** Nodes that have no room for the camera: each node passes over them, so that all come to the same plan. */
  readonly avoid?: readonly string[] | undefined;
}

const idPattern = '[A-Za-z0-9][A-Za-z0-9._-]{0,63}';
const ticketPattern = new RegExp(
  `^(${idPattern})~(${idPattern})~([0-9]{1,16})~([0-9A-Za-z._-]{1,120})(?:~(${idPattern}(?:,${idPattern}){0,15}))?$`,
);
/** More are not named: then the others are tried again. */
const maxAvoided = 16;

const words: Readonly<Record<SignatureRefusal, string>> = {
  malformed: 'it is no signature',
  'other-secret': 'it is made with the secret of another cluster',
  wrong: 'it is not signed with the secret of this cluster for this camera and this node',
  'too-old': 'it was signed more than 30 s ago; if that lasts, compare the clocks of the nodes',
  'too-new': 'it was signed in the future; compare the clocks of the nodes',
  replayed: 'it was used before',
};

/**
 * The tickets by which nodes let each other's streams in: `FROM~OWNER~EPOCH~SIGNATURE`, and `~NODE,NODE` where some have no room, in the query of the stream name. The
 * signature is for one cluster, camera and receiving node, for 30 s, and good once.
 */
export class RelayTickets {
  readonly #secret: ClusterSecret;
  readonly #cluster: string;
  readonly #self: string;
  readonly #startedMs: number;

  /** @param cluster what tells this cluster from others with the same secret: its prefix @param self the id of this node */
  constructor(secret: ClusterSecret, cluster: string, self: string, startedMs = Date.now()) {
    this.#secret = secret;
    this.#cluster = cluster;
    this.#self = self;
    this.#startedMs = startedMs;
  }

  /** A ticket for one connection of this node to another one. */
  issue(camera: string, to: string, { owner, epoch, avoid }: Omit<TicketOrigin, 'from'>, nowMs = Date.now()): string {
    const origin = { from: this.#self, owner, epoch, avoid: avoid?.slice(0, maxAvoided) };
    const signature = this.#secret.sign('rtmp', this.#fields(camera, to, origin), nowMs);
    const others = origin.avoid === undefined || origin.avoid.length === 0 ? '' : `~${origin.avoid.join(',')}`;
    return `${origin.from}~${owner}~${epoch}~${signature}${others}`;
  }

  /** What a ticket says that is good here. @throws CodedError RELAY_REFUSED */
  check(camera: string, ticket: string, nowMs = Date.now()): TicketOrigin {
    const [, from, owner, epochText, signature, others] = ticketPattern.exec(ticket) ?? [];
    if (from === undefined || owner === undefined || epochText === undefined || signature === undefined) {
      throw refused(camera, 'what it shows is no ticket of a node');
    }
    const avoid = others === undefined ? {} : { avoid: others.split(',') };
    const origin = { from, owner, epoch: Number(epochText), ...avoid };
    const refusal = this.#secret.verify('rtmp', this.#fields(camera, this.#self, origin), signature, nowMs);
    if (refusal !== undefined) throw refused(camera, words[refusal]);
    // What was used in this node's life before is not known any more.
    const signedMs = Number.parseInt(signature.split('.')[1] ?? '', 36);
    if (!(signedMs >= this.#startedMs)) throw refused(camera, 'it was signed before this node started');
    return origin;
  }

  #fields(camera: string, to: string, { from, owner, epoch, avoid = [] }: TicketOrigin): string[] {
    return ['relay', this.#cluster, camera, from, to, owner, String(epoch), ...avoid];
  }
}

/** @param why in words, without what a stranger sent */
function refused(camera: string, why: string): CodedError {
  return new CodedError('RELAY_REFUSED', `a stream of another node is refused for camera ${camera}: ${why}`);
}
