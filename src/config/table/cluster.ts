import { hostname } from 'node:os';
import { table } from '../setting.js';
import { booleanType, durationType, endpointsType, textType } from '../values.js';

/** The etcd that several nodes share. */
export const clusterTable = table({
  /** As the user wrote it: `etcd://HOST:PORT,HOST:PORT`, or `etcds://` for TLS; undefined: this node is alone. */
  cluster: {
    key: 'cluster',
    type: endpointsType(),
    default: undefined,
    description: 'Members of the etcd that all nodes of the cluster use: etcd://HOST:PORT,HOST:PORT (etcds:// for TLS)',
  },
  clusterPrefix: {
    key: 'cluster-prefix',
    type: textType(128, '<key>'),
    default: '/media-aggregator',
    description: 'Prefix of all keys in etcd; clusters with different prefixes do not see each other',
  },
  /** 64 hexadecimal digits, the same at every node; former ones may follow, one a line. */
  clusterSecretFile: {
    key: 'cluster-secret-file',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'File with the secret of the cluster, the same on every node (create it with: openssl rand -hex 32)',
  },
  /** `NAME:PASSWORD`. */
  clusterUserFile: {
    key: 'cluster-user-file',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'File with the user name and password for etcd, NAME:PASSWORD, if etcd requires them',
  },
  clusterCa: {
    key: 'cluster-ca',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'Certificates of the authorities to trust for etcd (PEM); if not set, those of Node.js',
  },
  clusterCert: {
    key: 'cluster-cert',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'Client certificate of this node for etcd (PEM)',
  },
  clusterKey: {
    key: 'cluster-key',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'Private key of cluster-cert (PEM, without a password)',
  },
  nodeId: {
    key: 'node-id',
    type: textType(64, '<name>'),
    default: undefined,
    fallback: { words: 'the host name', value: () => hostname().slice(0, 64) },
    description: 'Name of this node, which no other node of the cluster may have',
  },
  /** How streams go from node to node. */
  relayTls: {
    key: 'relay-tls',
    type: booleanType(),
    default: false,
    description:
      'Send streams to other nodes over RTMPS if they listen for it; their certificates are checked like those of targets',
  },
  relayReturnMs: {
    key: 'relay-return',
    type: durationType('1s', '600s'),
    default: 10_000,
    description: 'How long a node that could not be reached must answer before streams go through it again',
  },
  nodeLeaseMs: {
    key: 'node-lease',
    type: durationType('3s', '60s'),
    default: 7000,
    description: 'How long a node that no longer answers stays in the list of nodes, and keeps its cameras',
  },
});
