/** Lints and renders deploy/helm by Helm: with what docs and values.yaml name, and with what must be refused. */
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { attempt, expect, output, tell } from './lib.mjs';

const helm = process.env.HELM ?? 'helm';
const etcd = 'cluster=etcd://etcd-0:2379\\,etcd-1:2379';

function template(...sets) {
  const words = sets.flatMap((set) => ['--set', set]);
  return attempt(helm, ['template', 'berlin', 'deploy/helm', '--kube-version', '1.34.0', ...words]);
}

const kinds = (text) =>
  parseAllDocuments(text, { version: '1.1' })
    .map((each) => each.toJS())
    .filter((each) => each !== null)
    .map(({ kind, metadata }) => `${kind} ${metadata.name}`)
    .sort();

const always = [
  'PodDisruptionBudget berlin',
  'Service berlin',
  'Service berlin-api',
  'Service berlin-nodes',
  'StatefulSet berlin',
];

const good = [
  [[etcd], ['NetworkPolicy berlin']],
  [[etcd, 'networkPolicy=false'], []],
  [
    [etcd, 'srtPort=8890', 'srtPassphraseSecret=srt'],
    ['NetworkPolicy berlin', 'Service berlin-srt'],
  ],
  [
    ['tryEtcd=true'],
    ['Deployment berlin-etcd', 'NetworkPolicy berlin', 'NetworkPolicy berlin-etcd', 'Service berlin-etcd'],
  ],
  [
    ['cluster=etcds://etcd-0', 'clusterTls.secret=tls', 'clusterTls.clientCertificate=true', 'clusterUserSecret=user'],
    ['NetworkPolicy berlin'],
  ],
  [
    [etcd, 'hostNetwork=true', 'service.type=NodePort', 'service.externalTrafficPolicy=Cluster'],
    ['NetworkPolicy berlin'],
  ],
  [[etcd, 'service.type=ClusterIP', 'storageClass=fast', 'imagePullSecrets[0]=registry'], ['NetworkPolicy berlin']],
  [
    [etcd, 'settings.log-level=debug', 'settings.capacity-cameras=50', 'location=Sankt Gallen'],
    ['NetworkPolicy berlin'],
  ],
  [
    [
      etcd,
      'seccompProfile.type=Localhost',
      'seccompProfile.localhostProfile=media-aggregator.json',
      'nodeSelector.disk=ssd',
    ],
    ['NetworkPolicy berlin'],
  ],
  [[etcd, 'tolerations[0].operator=Exists', 'apiFrom[0].ipBlock.cidr=10.2.0.0/16'], ['NetworkPolicy berlin']],
];

const bad = [
  [],
  [etcd, 'tryEtcd=true'],
  [etcd, 'replica=3'],
  [etcd, 'replicas=two'],
  [etcd, 'location='],
  ['cluster=http://etcd:2379'],
  [etcd, 'clusterTls.secret=tls'],
  [etcd, 'srtPassphraseSecret=srt'],
  [etcd, 'srtPort=65536'],
  [etcd, 'service.type=Balancer'],
  [etcd, 'storage=1GB'],
  [etcd, 'drainDelaySeconds=601'],
  [etcd, 'settings.node-id=x'],
  [etcd, 'settings.shutdown-timeout=1m'],
  [etcd, 'seccompProfile.type=None'],
];

await tell('chart', () => {
  expect('helm lint', output(helm, ['lint', '--strict', 'deploy/helm', '--set', etcd]).includes('0 chart(s) failed'));
  for (const [sets, more] of good) {
    const { code, stdout, stderr } = template(...sets);
    expect(`rendered: ${sets.join(' ')} ${stderr.trim()}`, code === 0);
    // hostNetwork is what the level "restricted" forbids, as values.yaml says.
    if (process.env.MANIFESTS && !sets.includes('hostNetwork=true')) {
      const { code: valid, stdout: said } = attempt(process.env.MANIFESTS, [], { input: stdout });
      expect(`  Kubernetes says: ${said.trim()}`, valid === 0);
    }
    expect(
      `  it makes ${more.join(', ') || 'nothing more'}`,
      isDeepStrictEqual(kinds(stdout), [...always, ...more].sort()),
    );
  }
  const values = 'cluster: etcd://etcd-0\nsettings: { queue-max-bytes: 16777216 }\n';
  const { stdout } = attempt(helm, ['template', 'berlin', 'deploy/helm', '--kube-version', '1.34.0', '--values', '-'], {
    input: values,
  });
  expect('a large number of a file stays what it is', /_QUEUE_MAX_BYTES\s+value: "16777216"/.test(stdout));
  // What the documents say is run word for word, but that nothing is installed.
  const documented = readFileSync('docs/cluster.md', 'utf8').match(/^helm install .*$/gm) ?? [];
  expect('docs/cluster.md says how to install it', documented.length > 0);
  for (const line of documented) {
    const command = line.replace(/^helm install/, '"$HELM" template --kube-version 1.34.0');
    const { code, stderr } = attempt('bash', ['-c', command], { env: { HELM: helm } });
    expect(`docs/cluster.md: ${line} ${stderr.trim()}`, code === 0);
  }
  for (const sets of bad) {
    const { code, stderr } = template(...sets);
    const why = stderr.split('\n').find((line) => line.startsWith('- at') || line.startsWith('Error: execution')) ?? '';
    expect(`refused: ${sets.join(' ') || 'no value at all'}: ${why}`, code === 1 && why !== '');
  }
});
