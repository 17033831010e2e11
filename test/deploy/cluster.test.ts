import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { loadSettings } from '../../src/config/index.js';

const deploy = fileURLToPath(new URL('../../deploy/', import.meta.url));
const read = (path: string): string => readFileSync(join(deploy, path), 'utf8');

type Values = Readonly<Record<string, unknown>>;
// biome-ignore lint/suspicious/noExplicitAny: manifests are looked at, not used.
type Manifest = any;

/** The few words of Helm's templates that the chart uses, without Helm; any other is a failure. */
function render(text: string, values: Values, release = 'ma'): string {
  const lookUp = (path: string): unknown =>
    path === '.Release.Name'
      ? release
      : path
          .replace(/^\.Values\./, '')
          .split('.')
          .reduce<unknown>((value, key) => (value as Values)[key], values);
  const chosen = text.replace(
    /\{\{- if (\.Values\.\w+) \}\}\n([\s\S]*?)(?:\{\{- else \}\}\n([\s\S]*?))?\{\{- end \}\}\n?/g,
    (_, path: string, yes: string, no = '') => (lookUp(path) ? yes : no),
  );
  return chosen.replace(
    /\{\{ (?:(add) )?(\.[\w.]+)(?: (\d+))? \}\}/g,
    (_, add: string | undefined, path: string, more = '0') => {
      const value = lookUp(path);
      if (value === undefined) throw new Error(`values.yaml has no ${path}`);
      return String(add === undefined ? value : Number(value) + Number(more));
    },
  );
}

function manifests(change: Values = {}): Manifest[] {
  const values = { ...(parse(read('helm/values.yaml')) as Values), ...change };
  return readdirSync(join(deploy, 'helm/templates')).flatMap((file) => {
    const text = render(read(`helm/templates/${file}`), values);
    expect(text).not.toContain('{{');
    return parseAllDocuments(text).flatMap((document) => {
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
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'])
      expect(container[probe].httpGet.port).toBe('api');
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
    expect(kinds(all)).not.toContain('NetworkPolicy ma');
    const [container] = all.find(({ kind }) => kind === 'StatefulSet').spec.template.spec.containers;
    expect(container.env).toContainEqual({ name: 'MEDIA_AGGREGATOR_CLUSTER', value: 'etcd://ma-etcd:2379' });
  });
});

describe('compose.cluster.yaml', () => {
  const { services, volumes } = parse(read('compose.cluster.yaml'), { merge: true }) as Manifest;

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
    const nodes = Object.entries<Manifest>(services).filter(([, { image }]) => image === 'media-aggregator');
    const settings = nodes.map(([, { environment }]) => settingsOf(environment));
    expect(settings.map(({ nodeId }) => nodeId)).toEqual(nodes.map(([name]) => name));
    expect(new Set(settings.map(({ location }) => location)).size).toBe(2);
    for (const key of ['rtmpPort', 'apiPort'] as const) {
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
});
