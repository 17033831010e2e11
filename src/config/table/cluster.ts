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
    description: 'Members of the etcd that this node shares with others: etcd://HOST:PORT,HOST:PORT (etcds:// for TLS)',
  },
  clusterPrefix: {
    key: 'cluster-prefix',
    type: textType(128, '<key>'),
    default: '/media-aggregator',
    description: 'Beginning of all keys in etcd; clusters with different ones do not see each other',
  },
  /** 64 hexadecimal digits, the same at every node; former ones may follow, one a line. */
  clusterSecretFile: {
    key: 'cluster-secret-file',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'File with the secret of the cluster, the same at every node (make it with: openssl rand -hex 32)',
  },
  /** `NAME:PASSWORD`. */
  clusterUserFile: {
    key: 'cluster-user-file',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'File with the user of etcd and the password, NAME:PASSWORD, where etcd requires them',
  },
  clusterCa: {
    key: 'cluster-ca',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'Certificates of the authorities that etcd is trusted by (PEM); if not set, those of Node.js',
  },
  clusterCert: {
    key: 'cluster-cert',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'Certificate that this node shows to etcd (PEM)',
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
      'Send streams to other nodes by RTMPS, to those that listen for it; their certificates are checked as those of targets',
  },
  relayReturnMs: {
    key: 'relay-return',
    type: durationType('1s', '600s'),
    default: 10_000,
    description: 'How long a node that could not be reached has to be well until streams go through it again',
  },
  nodeLeaseMs: {
    key: 'node-lease',
    type: durationType('3s', '60s'),
    default: 7000,
    description: 'How long a node that does not answer any more stays in the list of nodes, and keeps its cameras',
  },
});
