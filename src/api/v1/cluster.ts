import Type from 'typebox';
import { ConflictError } from '../../errors.js';
import type { App } from '../app.js';
import { v1Responses } from '../schemas.js';

const orNull = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

const MemberSchema = Type.Object(
  {
    id: Type.String(),
    self: Type.Boolean({ description: 'True for the node that answers.' }),
    location: orNull(Type.String()),
    rtmp: Type.String({ description: 'Where cameras publish, without a path.' }),
    rtmps: orNull(Type.String()),
    api: Type.String({ description: 'Where its API is, without a path.' }),
    version: Type.String(),
    startedAt: Type.String(),
    isDraining: Type.Boolean({ description: 'True while it stops: it takes no new cameras.' }),
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

export type ClusterMember = Type.Static<typeof MemberSchema>;

/** What the API asks of the cluster that this node belongs to. */
export interface ClusterView {
  readonly id: string;
  readonly etcd: readonly string[];
  readonly prefix: string;
  readonly nodes: readonly ClusterMember[];
  /** Takes the state of an etcd that was replaced. @throws StateError CLUSTER_UNAVAILABLE */
  accept(): Promise<void>;
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
        const message = 'this node is alone, since it was started without --cluster: there is nothing to accept';
        throw new ConflictError('NOT_IN_CLUSTER', message);
      }
      await found.accept();
      return view();
    },
  );
}
