import Type from 'typebox';
import { ConflictError, NotFoundError } from '../../errors.js';
import type { App } from '../app.js';
import { v1Responses } from '../schemas.js';
import { optionalBody } from '../validation.js';
import { type OtherNodes, passOn } from './other-nodes.js';

const orNull = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

const MemberSchema = Type.Object(
  {
    id: Type.String(),
    self: Type.Boolean({ description: 'True for the node that answers.' }),
    location: orNull(Type.String()),
    rtmp: Type.String({ description: 'Where cameras publish, without a path.' }),
    rtmps: orNull(Type.String()),
    srt: orNull(Type.String({ description: 'Where encoders publish by SRT.' })),
    api: Type.String({ description: 'Where its API is, without a path.' }),
    version: Type.String(),
    startedAt: Type.String(),
    isDraining: Type.Boolean({ description: 'It stops, or is drained: it takes no new cameras.' }),
    isFull: Type.Boolean({ description: 'It has as much as its capacity allows: it takes no new cameras.' }),
    capacity: Type.Object(
      { outMbps: orNull(Type.Integer()), cameras: orNull(Type.Integer()) },
      { description: 'What it may send, Mbit/s, and how many cameras may be live there; null: no limit.' },
    ),
    load: orNull(
      Type.Object(
        { outMbps: Type.Integer(), cameras: Type.Integer() },
        { description: 'What it carries: told every 10 s at most, when it is another by a tenth.' },
      ),
    ),
    liveCameras: Type.Integer({ minimum: 0, description: 'Cameras that are live there, as all nodes know it.' }),
  },
  { title: 'ClusterNode' },
);

const ClusterSchema = Type.Object(
  {
    id: orNull(Type.String({ description: 'The node that answers; null: it is alone, and shares nothing.' })),
    etcd: Type.Array(Type.String(), { description: 'The members of etcd in the settings.' }),
    prefix: orNull(Type.String()),
    nodes: Type.Array(MemberSchema, { description: 'The nodes that live, by id.' }),
  },
  { title: 'Cluster', description: 'The nodes that share one state.' },
);

const NodeParams = Type.Object(
  { id: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$' }) },
  { additionalProperties: false },
);
const DrainRequest = Type.Object(
  {
    on: Type.Optional(Type.Boolean({ description: 'false: it takes cameras again; true.' })),
    seconds: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 3600, description: 'Over how long its cameras are asked to go; 30.' }),
    ),
    force: Type.Optional(
      Type.Boolean({
        description: 'true: also when no other node takes the cameras that are live there, so that they are closed.',
      }),
    ),
  },
  { additionalProperties: false, title: 'DrainRequest' },
);
const SealedSchema = Type.Object(
  {
    secretId: Type.String({ description: 'Says which secret it is, and nothing of it.' }),
    written: Type.Integer({ minimum: 0, description: 'Keys that were sealed with another one, or not at all.' }),
  },
  { title: 'Sealed' },
);
/** In one question. */
const maxAsked = 500;
const HeldSchema = Type.Object({
  camera: Type.String(),
  node: Type.String({ description: 'Which node has it.' }),
  epoch: Type.Integer({ minimum: 0, description: 'Of its claim: the newer one is larger; 0: it has none.' }),
  isSilent: Type.Boolean({
    description:
      'Its publisher has sent nothing for publish-takeover. Of another node than the one that answers: false.',
  }),
});
const HoldersSchema = Type.Object(
  {
    id: Type.String({ description: 'The node that answers.' }),
    reachesEtcd: Type.Boolean({ description: 'What it says of other nodes is true now, not only what it knew last.' }),
    cameras: Type.Array(HeldSchema, { maxItems: maxAsked }),
  },
  { title: 'Holders' },
);
const HoldersRequest = Type.Object(
  { cameras: Type.Array(Type.String({ maxLength: 128 }), { maxItems: maxAsked, description: 'Names.' }) },
  { additionalProperties: false, title: 'HoldersRequest' },
);
const DrainSchema = Type.Object(
  {
    id: Type.String(),
    isDraining: Type.Boolean(),
    camerasLeft: Type.Integer({ minimum: 0, description: 'Cameras that are live there still; 0: it is empty.' }),
  },
  { title: 'NodeDrain' },
);

export type ClusterMember = Type.Static<typeof MemberSchema>;

/** What the API asks of the cluster that this node belongs to. */
export interface ClusterView {
  readonly id: string;
  readonly etcd: readonly string[];
  readonly prefix: string;
  readonly nodes: readonly ClusterMember[];
  /** The APIs of the other nodes. */
  readonly others: OtherNodes;
  /** Moves the cameras of this node elsewhere. */
  readonly drain: NodeDrain;
  /** Which secret signs and seals: the first one of the file. */
  readonly secretId: string;
  /** Which of these cameras are live here, and which are known to be at other nodes. */
  holders(names: readonly string[]): Type.Static<typeof HoldersSchema>;
  /** Seals anew what is not sealed with it. @returns how many keys were written @throws StateError */
  sealAnew(): Promise<number>;
  /** Takes the state of an etcd that was replaced. @throws StateError CLUSTER_UNAVAILABLE */
  accept(): Promise<void>;
}

/** Has a node take no new cameras, and those that it has go elsewhere. */
export interface NodeDrain {
  readonly isOn: boolean;
  /** False: no other node takes the cameras of this one. */
  readonly isOfUse: boolean;
  /** Cameras that are live here still. */
  readonly camerasLeft: number;
  /** @param seconds over which the cameras are asked to go */
  start(seconds: number): void;
  /** It takes cameras again. */
  end(): void;
}

/** The cluster; one of a node that is alone is empty. */
export function addClusterRoutes(app: App, cluster: () => ClusterView | undefined): void {
  const view = () => {
    const { id, etcd, prefix, nodes } = cluster() ?? { id: null, etcd: [], prefix: null, nodes: [] };
    return { id, etcd: [...etcd], prefix, nodes: [...nodes] };
  };

  app.get(
    '/v1/cluster',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'getCluster',
        summary: 'The nodes that share the state with this one, and the etcd that holds it',
        tags: ['nodes'],
        response: v1Responses({ 200: ClusterSchema }),
      },
    },
    async () => view(),
  );

  app.post(
    '/v1/cluster/holders',
    {
      config: { scope: 'read', passedOn: true },
      schema: {
        operationId: 'getHolders',
        summary: 'Which node has these cameras, by what the node that is asked knows',
        description:
          'Nodes ask each other so while etcd does not answer them. Cameras that nobody is known to have are left out.',
        tags: ['nodes'],
        body: HoldersRequest,
        response: v1Responses({ 200: HoldersSchema }, 400, 409, 413, 415),
      },
    },
    async (request) => {
      const known = cluster();
      if (known === undefined)
        throw new ConflictError('NOT_IN_CLUSTER', 'this node was started without --cluster: there are no others');
      return known.holders(request.body.cameras);
    },
  );

  app.post(
    '/v1/cluster/accept',
    {
      config: { scope: 'admin' },
      schema: {
        operationId: 'acceptCluster',
        summary:
          'Take the state of an etcd that was replaced or restored from a backup (CLUSTER_REPLACED), on all nodes',
        tags: ['nodes'],
        response: v1Responses({ 200: ClusterSchema }, 409, 503),
      },
    },
    async () => {
      const found = cluster();
      if (found === undefined) {
        const message = 'this node was started without --cluster: there is nothing to accept';
        throw new ConflictError('NOT_IN_CLUSTER', message);
      }
      await found.accept();
      return view();
    },
  );

  app.post(
    '/v1/cluster/seal',
    {
      config: { scope: 'admin' },
      schema: {
        operationId: 'sealCluster',
        summary: "Seal anew what stands in etcd, with the first secret of this node's cluster-secret-file",
        tags: ['nodes'],
        response: v1Responses({ 200: SealedSchema }, 409, 503),
      },
    },
    async () => {
      const known = cluster();
      if (known === undefined)
        throw new ConflictError('NOT_IN_CLUSTER', 'this node was started without --cluster: it has nothing in etcd');
      return { secretId: known.secretId, written: await known.sealAnew() };
    },
  );

  app.post(
    '/v1/nodes/:id/drain',
    {
      config: { scope: 'admin', ofAllNodes: true, passedOn: true },
      schema: {
        operationId: 'drainNode',
        summary: 'Have a node take no new cameras, and those that it has go elsewhere; or end that',
        description:
          'Cameras whose encoders can are asked to reconnect; the connections of the others are closed, spread over the seconds given. The same call again tells how many are left.',
        tags: ['nodes'],
        params: NodeParams,
        body: optionalBody(DrainRequest),
        response: v1Responses({ 200: DrainSchema }, 400, 404, 409, 413, 415, 503),
      },
    },
    async (request, reply) => {
      const known = cluster();
      const { id } = request.params;
      if (known === undefined || !known.nodes.some((node) => node.id === id)) {
        throw new NotFoundError('NODE_NOT_FOUND', `there is no node ${JSON.stringify(id)}; see GET /v1/cluster`);
      }
      if (id !== known.id) {
        if (!request.isForSelf) return passOn(request, reply, known.others, id);
        throw new NotFoundError('NODE_NOT_FOUND', `this node is ${known.id}, not ${id}`);
      }
      const { on = true, seconds = 30, force = false } = request.body ?? {};
      if (on && !force && !known.drain.isOn && !known.drain.isOfUse && known.drain.camerasLeft > 0) {
        const message = `no other node takes cameras now: the ${known.drain.camerasLeft} that are live at ${id} would be closed, and have nowhere to go; with "force" it is drained all the same`;
        throw new ConflictError('DRAIN_NOWHERE_TO_GO', message, { field: 'force' });
      }
      if (!on) known.drain.end();
      else if (!known.drain.isOn) known.drain.start(seconds);
      return { id, isDraining: known.drain.isOn, camerasLeft: known.drain.camerasLeft };
    },
  );
}
