/**
 * Runs the containers that the chart's pods ask for, by Docker: each field of the container's spec as a kubelet would give it
 * (user, read-only root, environment, volumes, memory), its probes, and SIGTERM with the time that the pod is given. What a
 * kubelet does beside that (admission, scheduling, Services) is not tried.
 */
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { apiOf, atTheEnd, attempt, camera, expect, output, removeLeft, say, tell, until } from './lib.mjs';

const helm = process.env.HELM ?? 'helm';
const trial = 'media-aggregator-trial';
const network = `${trial}-pods`;
const srtPort = 8890;

/** The chart's manifests with these values. */
function chart(release, values) {
  const sets = Object.entries(values).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  const text = output(helm, ['template', release, 'deploy/helm', '--kube-version', '1.34.0', ...sets]);
  return parseAllDocuments(text, { version: '1.1' }).map((each) => each.toJS());
}

const find = (all, kind, name) => all.find((each) => each?.kind === kind && each.metadata.name === name);

/** A folder for what Kubernetes mounts. */
function folder() {
  const made = mkdtempSync(join(tmpdir(), 'media-aggregator-pods-'));
  atTheEnd(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** A volume of the pod as a folder: a Secret with its mode and the group of the pod, or an empty one for it. */
function volumeOf({ secret }, secrets, { fsGroup }) {
  const made = folder();
  chownSync(made, 0, fsGroup);
  chmodSync(made, secret === undefined ? 0o2777 : 0o755);
  if (secret === undefined) return made;
  for (const [file, text] of Object.entries(secrets[secret.secretName])) {
    writeFileSync(join(made, file), text);
    chownSync(join(made, file), 0, fsGroup);
    chmodSync(join(made, file), secret.defaultMode);
  }
  return made;
}

/** "docker run" for the one container of a pod. */
function runPod(name, template, { image, secrets = {}, claims = [], alias = name }) {
  const { securityContext: pod, containers, volumes = [], terminationGracePeriodSeconds = 30 } = template.spec;
  const [{ env, securityContext, volumeMounts, resources, command, args = [] }] = containers;
  expect(`${name}: has no privileges`, pod.runAsNonRoot === true && securityContext.allowPrivilegeEscalation === false);
  const all = [...volumes, ...claims.map(({ metadata }) => ({ name: metadata.name }))];
  const mounts = volumeMounts.flatMap((mount) => {
    const from = volumeOf(
      all.find((volume) => volume.name === mount.name),
      secrets,
      pod,
    );
    return ['--volume', `${from}:${mount.mountPath}${mount.readOnly ? ':ro' : ''}`];
  });
  const address = `10.88.7.${10 + runPod.count++}`;
  const fields = { 'metadata.name': name, 'status.podIP': address };
  const values = {};
  for (const { name: key, value, valueFrom } of env) {
    const text = valueFrom === undefined ? value : fields[valueFrom.fieldRef.fieldPath];
    values[key] = text.replace(/\$\((\w+)\)/g, (whole, other) => values[other] ?? whole);
  }
  const variables = Object.entries(values).flatMap(([key, value]) => ['--env', `${key}=${value}`]);
  const id = `${trial}-${name}`;
  attempt('docker', ['rm', '--force', '--volumes', id]);
  atTheEnd(() => attempt('docker', ['rm', '--force', '--volumes', id]));
  output('docker', [
    ...['run', '--detach', '--name', id, '--hostname', name, '--network', network, '--ip', address],
    ...['--network-alias', alias, '--user', `${pod.runAsUser}:${pod.runAsGroup}`, '--group-add', pod.fsGroup],
    ...securityContext.capabilities.drop.flatMap((each) => ['--cap-drop', each]),
    ...(securityContext.readOnlyRootFilesystem ? ['--read-only'] : []),
    ...['--security-opt', 'no-new-privileges:true'],
    ...(resources?.limits?.memory ? ['--memory', resources.limits.memory.replace('i', '').toLowerCase()] : []),
    ...variables,
    ...mounts,
    ...(command ? ['--entrypoint', command[0]] : []),
    image,
    ...args,
  ]);
  return { id, name, address, container: containers[0], grace: terminationGracePeriodSeconds };
}
runPod.count = 0;

/** A probe as the kubelet makes it: a GET to the pod's address, without a token. */
async function probe({ address, container }, name) {
  const { httpGet } = container[name];
  const { containerPort } = container.ports.find((port) => port.name === httpGet.port);
  const signal = AbortSignal.timeout((container[name].timeoutSeconds ?? 1) * 1000);
  return (await fetch(`http://${address}:${containerPort}${httpGet.path}`, { signal })).status;
}

const inPod = (pod, ...command) => attempt('docker', ['exec', pod.id, ...command]);

await tell('pods', async () => {
  removeLeft();
  output('docker', ['network', 'create', '--subnet', '10.88.7.0/24', network]);
  atTheEnd(() => output('docker', ['network', 'rm', network]));
  const all = chart('berlin', { tryEtcd: true, srtPort, drainDelaySeconds: 10, 'settings.capacity-cameras': 50 });
  const nodes = find(all, 'StatefulSet', 'berlin').spec;
  const etcd = find(all, 'Deployment', 'berlin-etcd').spec.template;
  const secrets = { 'media-aggregator-cluster': { 'cluster-secret': output('openssl', ['rand', '-hex', '32']) } };

  const store = runPod('berlin-etcd-0', etcd, {
    image: process.env.ETCD_IMAGE ?? 'media-aggregator-etcd',
    alias: 'berlin-etcd',
  });
  await until(
    'etcd runs without privileges, and its probe answers',
    async () => (await probe(store, 'readinessProbe')) === 200,
  );
  const claims = nodes.volumeClaimTemplates;
  const options = { image: 'media-aggregator', secrets, claims };
  const [first, second] = [0, 1].map((i) => runPod(`berlin-${i}`, nodes.template, options));
  for (const pod of [first, second]) {
    const logs = () => attempt('docker', ['logs', pod.id]).stderr.slice(-3000);
    for (const name of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
      await until(`${pod.name}: the ${name} answers 200`, async () => (await probe(pod, name)) === 200, 60_000, logs);
    }
  }
  const uid = inPod(first, 'id', '-u').stdout.trim();
  expect(`it runs as uid ${uid}`, uid === '10001');
  expect('its root file system is read-only', inPod(first, 'touch', '/opt/media-aggregator/x').code !== 0);
  const status = /NoNewPrivs:\s*1[\s\S]*/.test(inPod(first, 'cat', '/proc/1/status').stdout);
  const caps = /CapEff:\s*(\w+)/.exec(inPod(first, 'cat', '/proc/1/status').stdout)?.[1];
  expect(`it has no capability and gets none (${caps})`, status && /^0+$/.test(caps));
  const list = inPod(second, 'media-aggregator', 'node', 'list').stdout;
  say(`node list:\n${list}`);
  expect('the nodes found each other', list.includes('berlin-berlin-0') && list.includes('berlin-berlin-1'));

  const token = inPod(first, 'cat', '/var/lib/media-aggregator/admin-token').stdout.trim();
  const call = apiOf(`http://${first.address}:5000`, token);
  const tokenThere = inPod(second, 'cat', '/var/lib/media-aggregator/admin-token').stdout.trim();
  const there = apiOf(`http://${second.address}:5000`, tokenThere);
  await call('POST', '/registerCamera', { name: 'gate' });
  const { srtEndpoint } = await call('GET', '/v1/cameras/gate');
  expect(`SRT has its port (${srtEndpoint})`, srtEndpoint?.includes(`${first.address}:${srtPort}`) === true);
  const encoder = camera([first, second].map(({ address }) => `rtmp://${address}:1935/gate/gate`));
  await until(
    'a camera publishes to one pod',
    async () => (await there('GET', '/v1/cameras/gate')).node === 'berlin-berlin-0',
  );

  const begun = Date.now();
  const stopping = output.bind(null, 'docker', ['kill', '--signal', 'TERM', first.id]);
  stopping();
  await until(
    'SIGTERM: the readiness probe answers 503 at once',
    async () => (await probe(first, 'readinessProbe')) === 503,
    5000,
  );
  expect('while the liveness probe answers 200', (await probe(first, 'livenessProbe')) === 200);
  await until(
    'the camera is at the other pod',
    async () => (await there('GET', '/v1/cameras/gate')).node === 'berlin-berlin-1',
  );
  const exit = Number(output('docker', ['wait', first.id]));
  const took = Math.ceil((Date.now() - begun) / 1000);
  expect(
    `it ends in order (${exit}) after ${took} s, of ${first.grace} that it has`,
    [0, 143].includes(exit) && took <= first.grace,
  );
  await encoder.stop();
});
