import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Compile } from 'typebox/schema';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { loadSettings } from '../../src/config/index.js';
import { renderTemplate } from '../support/helm-template.js';

const deploy = fileURLToPath(new URL('../../deploy/', import.meta.url));
const read = (path: string): string => readFileSync(join(deploy, path), 'utf8');

type Values = Readonly<Record<string, unknown>>;
// biome-ignore lint/suspicious/noExplicitAny: manifests are looked at, not used.
type Manifest = any;

function manifests(change: Values = {}, release = 'ma'): Manifest[] {
  const values = { ...(parse(read('helm/values.yaml')) as Values), ...change };
  return readdirSync(join(deploy, 'helm/templates')).flatMap((file) => {
    const text = renderTemplate(read(`helm/templates/${file}`), { Values: values, Release: { Name: release } });
    // Helm reads YAML 1.1, in which 0440 is octal.
    return parseAllDocuments(text, { version: '1.1' }).flatMap((document) => {
      expect(document.errors).toEqual([]);
      const manifest: Manifest = document.toJS();
      return manifest === null ? [] : [manifest];
    });
  });
}

const kinds = (all: Manifest[]): string[] => all.map(({ kind, metadata }) => `${kind} ${metadata.name}`).sort();

/** Settings are named rightly, and fit together. */
function settingsOf(env: Values) {
  const words = Object.fromEntries(Object.entries(env).map(([key, value]) => [key, String(value)]));
  return loadSettings({ flags: {}, env: words, cwd: deploy }).settings;
}

describe('the chart', () => {
  test('has nodes that drain, services, a budget and a policy, and nothing of etcd where one is given', () => {
    const all = manifests({ cluster: 'etcd://etcd-0:2379,etcd-1:2379' });
    expect(kinds(all)).toEqual([
      'NetworkPolicy ma',
      'PodDisruptionBudget ma',
      'Service ma',
      'Service ma-api',
      'Service ma-nodes',
      'StatefulSet ma',
    ]);
    const nodes = all.find(({ kind }) => kind === 'StatefulSet');
    const pod = nodes.spec.template.spec;
    const [container] = pod.containers;
    const env = Object.fromEntries(container.env.map(({ name, value = 'x' }: Manifest) => [name, value]));
    delete env.POD;
    const settings = settingsOf({ ...env, MEDIA_AGGREGATOR_NODE_ID: 'berlin-ma-0' });
    expect(settings).toMatchObject({
      cluster: 'etcd://etcd-0:2379,etcd-1:2379',
      location: 'berlin',
      drainDelayMs: 60_000,
      clusterSecretFile: '/run/cluster/cluster-secret',
    });
    // It may take as long as it says.
    const longest = settings.drainDelayMs + settings.media.shutdownTimeoutMs + 1500;
    expect(pod.terminationGracePeriodSeconds * 1000).toBeGreaterThan(longest);
    expect(nodes.spec.serviceName).toBe('ma-nodes');
    // The secret is for the group alone: see readClusterSecret.
    expect(pod.volumes.find(({ name }: Manifest) => name === 'cluster').secret.defaultMode & 0o007).toBe(0);
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, fsGroup: 10001 });
    const mounts = container.volumeMounts.map(({ name }: Manifest) => name);
    const volumes = [...pod.volumes, ...nodes.spec.volumeClaimTemplates.map(({ metadata }: Manifest) => metadata)];
    expect(volumes.map(({ name }: Manifest) => name).sort()).toEqual(mounts.sort());
    // Neither path asks etcd: while that is away, pods live and take cameras. A node that is busy is late.
    for (const [probe, path] of Object.entries({ startup: '/healthz', liveness: '/healthz', readiness: '/readyz' })) {
      const { httpGet, timeoutSeconds } = container[`${probe}Probe`];
      expect(httpGet, probe).toEqual({ path, port: 'api' });
      expect(timeoutSeconds, probe).toBe(5);
    }
    expect(pod.affinity.podAntiAffinity).toBeDefined();
    const ports = new Set(container.ports.map(({ name }: Manifest) => name));
    for (const service of all.filter(({ kind }) => kind === 'Service')) {
      expect(service.spec.selector).toEqual(nodes.spec.selector.matchLabels);
      for (const { targetPort } of service.spec.ports) expect(ports).toContain(targetPort);
    }
  });

  test('brings an etcd to try, and no policy where none is wanted', () => {
    const all = manifests({ tryEtcd: true, networkPolicy: false });
    expect(kinds(all)).toContain('Deployment ma-etcd');
    expect(kinds(all).filter((name) => name.startsWith('NetworkPolicy'))).toEqual([]);
    const [container] = all.find(({ kind }) => kind === 'StatefulSet').spec.template.spec.containers;
    expect(container.env).toContainEqual({ name: 'MEDIA_AGGREGATOR_CLUSTER', value: 'etcd://ma-etcd:2379' });
  });

  test('hands on all that may be asked of etcd, SRT and the settings, and lets it through', () => {
    const all = manifests({
      cluster: 'etcds://etcd-0:2379',
      clusterTls: { secret: 'etcd-tls', clientCertificate: true },
      clusterUserSecret: 'etcd-user',
      srtPort: 8890,
      srtPassphraseSecret: 'srt',
      location: 'Île: 1 # "no"'.replaceAll('"', "'"),
      settings: { 'log-level': 'debug', 'capacity-cameras': 50, 'relay-tls': true, 'queue-max-bytes': 16_777_216 },
      apiFrom: [{ ipBlock: { cidr: '10.2.0.0/16' } }],
    });
    const pod = all.find(({ kind }) => kind === 'StatefulSet').spec.template.spec;
    const [container] = pod.containers;
    const env = Object.fromEntries(container.env.map(({ name, value = 'x' }: Manifest) => [name, value]));
    expect(env.MEDIA_AGGREGATOR_NODE_ID).toBe('le-1-no--$(POD)');
    delete env.POD;
    env.MEDIA_AGGREGATOR_NODE_ID = env.MEDIA_AGGREGATOR_NODE_ID.replace('$(POD)', 'ma-0');
    expect(settingsOf(env)).toMatchObject({
      location: "Île: 1 # 'no'",
      srtPort: 8890,
      logLevel: 'debug',
      capacityCameras: 50,
      relayTls: true,
    });
    expect(env.MEDIA_AGGREGATOR_QUEUE_MAX_BYTES).toBe('16777216');
    const mounted = container.volumeMounts.map(({ mountPath }: Manifest) => `${mountPath}/`);
    for (const [name, value] of Object.entries<string>(env).filter(([key]) => /_(FILE|CA|CERT|KEY)$/.test(key))) {
      expect(
        mounted.some((folder: string) => value.startsWith(folder)),
        name,
      ).toBe(true);
    }
    for (const { secret } of pod.volumes.filter((each: Manifest) => each.secret))
      expect(secret.defaultMode).toBe(0o440);
    expect(all.find(({ metadata }) => metadata.name === 'ma-srt').spec.ports).toMatchObject([
      { port: 8890, protocol: 'UDP', targetPort: 'srt' },
    ]);
    const [media, api] = all.find(({ kind }) => kind === 'NetworkPolicy').spec.ingress;
    expect(media).toEqual({ ports: [{ port: 'rtmp' }, { port: 'srt', protocol: 'UDP' }] });
    expect(api.from).toEqual([{ podSelector: {} }, { ipBlock: { cidr: '10.2.0.0/16' } }]);
  });

  test.each([
    [{}, 'cluster is not set'],
    [{ cluster: 'etcd://a', tryEtcd: true }, 'give one of the two'],
    [{ cluster: 'etcd://a', clusterTls: { secret: 'tls' } }, 'is for etcds://'],
    [{ cluster: 'etcd://a', clusterTls: { secret: '', clientCertificate: true } }, 'needs clusterTls.secret'],
    [{ cluster: 'etcd://a', srtPassphraseSecret: 'srt' }, 'is for srtPort'],
    [{ cluster: 'etcd://a', location: 'x'.repeat(60) }, 'too long'],
  ])('%j is refused: %s', (change, message) => {
    const common = { clusterTls: { secret: '', clientCertificate: false } };
    expect(() => manifests({ ...common, ...change })).toThrow(message);
  });
});

describe('values.schema.json', () => {
  const text = read('helm/values.schema.json');
  const schema = JSON.parse(text) as { properties: Values };
  const valid = Compile(JSON.parse(text));
  const values = parse(read('helm/values.yaml')) as Values;

  test('knows what values.yaml has, and nothing else', () => {
    expect(Object.keys(schema.properties).sort()).toEqual(Object.keys(values).sort());
    expect(valid.Check(values)).toBe(true);
  });

  test.each([
    { replica: 2 },
    { replicas: '2' },
    { location: '' },
    { location: 'a"b' },
    { location: '$(POD)' },
    { cluster: 'http://etcd:2379' },
    { clusterTls: { secrets: 'x' } },
    { service: { type: 'Balancer' } },
    { srtPort: 65536 },
    { storage: '1GB' },
    { drainDelaySeconds: -1 },
    { settings: { MEDIA_AGGREGATOR_LOG_LEVEL: 'debug' } },
    { settings: { 'api-tls-cert': '/cert.pem' } },
    { settings: { 'shutdown-timeout': '1m' } },
    { apiFrom: ['10.0.0.0/8'] },
  ])('refuses %j', (change) => {
    expect(valid.Check({ ...values, ...change })).toBe(false);
  });

  test('leaves no setting to the values that the chart itself sets', () => {
    const all = manifests({ cluster: 'etcd://a' });
    const [container] = all.find(({ kind }) => kind === 'StatefulSet').spec.template.spec.containers;
    for (const { name } of container.env.slice(1)) {
      const key = name.replace('MEDIA_AGGREGATOR_', '').toLowerCase().replaceAll('_', '-');
      expect(valid.Check({ ...values, settings: { [key]: 'x' } }), key).toBe(false);
    }
    expect(valid.Check({ ...values, settings: { 'log-level': 'debug' } })).toBe(true);
  });
});

describe('compose.cluster.yaml', () => {
  // As Compose fills them in where no variable is set, and SRT=on.
  const fill = (text: string): string => text.replace(/\$\{\w+:([-+])([^}]*)\}/g, '$2').replaceAll('$$', '$');
  const { services, volumes } = parse(fill(read('compose.cluster.yaml')), { merge: true }) as Manifest;

  test('has three members of etcd that name each other', () => {
    const members = Object.entries<Manifest>(services).filter(([name]) => name.startsWith('etcd-'));
    expect(members).toHaveLength(3);
    const cluster = members.map(([name]) => `${name}=http://${name}:2380`).join(',');
    for (const [name, { environment }] of members) {
      expect(environment).toMatchObject({ ETCD_NAME: name, ETCD_INITIAL_CLUSTER: cluster });
      expect(environment.ETCD_INITIAL_ADVERTISE_PEER_URLS).toBe(`http://${name}:2380`);
    }
  });

  test('has nodes in two places, with ports, names and folders of their own, on that etcd', () => {
    const nodes = Object.entries<Manifest>(services).filter(([name]) => /^(berlin|paris)-/.test(name));
    const settings = nodes.map(([, { environment }]) => settingsOf(environment));
    expect(settings.map(({ nodeId }) => nodeId)).toEqual(nodes.map(([name]) => name));
    expect(new Set(settings.map(({ location }) => location)).size).toBe(2);
    for (const key of ['rtmpPort', 'apiPort', 'srtPort'] as const) {
      expect(new Set(settings.map((each) => each[key])).size).toBe(nodes.length);
    }
    const published = Object.values<Manifest>(services).flatMap(({ ports = [] }) => ports as string[]);
    for (const endpoint of settings[0]!.cluster!.replace('etcd://', '').split(',')) {
      expect(published).toContain(`${endpoint}:2379`);
    }
    for (const [name, { volumes: mounts, stop_grace_period: grace }] of nodes) {
      expect(mounts[0]).toBe(`${name}:/var/lib/media-aggregator`);
      expect(Object.keys(volumes)).toContain(name);
      expect(Number.parseInt(grace, 10) * 1000).toBeGreaterThan(settings[0]!.drainDelayMs + 5000);
    }
  });
  test('has an engine in each place, of which the nodes are told', () => {
    const { command, environment, network_mode: network, volumes: mounts } = services['register-engines'];
    expect(network).toBe('host');
    expect(environment.MEDIA_AGGREGATOR_API).toBe('http://127.0.0.1:5000');
    expect(mounts).toEqual([`berlin-1:/var/lib/media-aggregator:ro`]);
    for (const [, place, rtmp, http] of command[0].matchAll(/^add (\w+) (\d+) (\d+)$/gm)) {
      expect(services[`engine-${place}`].ports).toEqual([`${http}:80`, `${rtmp}:1935`]);
    }
  });
});
