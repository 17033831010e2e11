/**
 * Who may import whom in src/: the one table that the import rules of biome.json are made of.
 *
 *   node scripts/layers.mjs          writes the rules into biome.json
 *   node scripts/layers.mjs --check  exits 1 when biome.json has other rules, or when files import each other in a cycle
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** Every part may import these, besides its own files and `plural.ts`. */
const common = ['errors', 'log'];

/**
 * By part (a folder of src/): what it `may` import besides the common ones. A `pure` part uses no sockets and no files.
 * A `basic` part does not log: the log itself stands on it.
 */
export const layers = {
  log: { may: ['address'], basic: true },
  events: { may: [], pure: true },
  health: { may: [], pure: true },
  files: { may: [] },
  address: { may: [], basic: true },
  fairness: { may: [] },
  process: { may: [] },
  json: { may: ['address'], pure: true },
  wire: { may: [], pure: true },
  relay: { may: ['wire'], pure: true },
  tls: { may: ['files'] },
  net: { may: ['address', 'fairness', 'process'] },
  rtmp: { may: ['address', 'fairness', 'net', 'process', 'relay', 'wire'] },
  push: { may: ['address', 'events', 'net', 'process', 'relay', 'rtmp'] },
  ingest: { may: ['process', 'relay', 'rtmp', 'wire'] },
  pull: { may: ['address', 'events', 'ingest', 'net', 'process', 'push', 'rtmp', 'wire'] },
  onvif: { may: ['address', 'net', 'process'] },
  discovery: { may: ['address', 'net', 'onvif', 'pull'] },
  transcode: { may: ['process', 'relay', 'wire'] },
  srt: { may: ['address', 'admission', 'net', 'process', 'pull', 'rtmp'] },
  admission: { may: ['address', 'fairness', 'net', 'rtmp'] },
  model: { may: ['address', 'json'], pure: true },
  etcd: { may: [] },
  store: { may: ['address', 'etcd', 'fairness', 'files', 'json', 'model', 'process'] },
  placement: { may: [], pure: true },
  cluster: { may: ['etcd', 'files'] },
  'nginx-conf': { may: [] },
  import: { may: ['address', 'json', 'model', 'nginx-conf'] },
  backend: { may: ['admission', 'events', 'health'] },
  'backend/native': {
    may: [
      'address',
      'admission',
      'backend',
      'events',
      'fairness',
      'health',
      'ingest',
      'net',
      'process',
      'pull',
      'push',
      'relay',
      'rtmp',
      'srt',
      'tls',
      'transcode',
      'wire',
    ],
  },
  'backend/workers': {
    may: ['address', 'backend', 'backend/native', 'events', 'fairness', 'health', 'net', 'process', 'rtmp', 'tls'],
  },
  'backend/nginx': {
    may: [
      'address',
      'backend',
      'events',
      'fairness',
      'files',
      'health',
      'net',
      'nginx-conf',
      'process',
      'push',
      'relay',
      'rtmp',
    ],
  },
  control: {
    may: [
      'address',
      'admission',
      'backend',
      'events',
      'fairness',
      'files',
      'health',
      'model',
      'placement',
      'process',
      'store',
    ],
  },
  access: { may: ['address', 'files', 'json'] },
  announce: { may: ['net'] },
  webhooks: { may: ['events', 'process'], pure: true },
  config: { may: ['address', 'events', 'health', 'json'] },
  client: { may: [], alone: true },
  api: {
    may: [
      'access',
      'address',
      'announce',
      'backend',
      'control',
      'discovery',
      'events',
      'fairness',
      'json',
      'model',
      'process',
      'tls',
      'webhooks',
    ],
  },
};

/** The parts with a rule, and `cli`, which puts all of them together and which nobody imports. */
export const parts = [...Object.keys(layers), 'cli'];
/** What a pure part never uses. */
const sockets = ['node:net', 'node:tls', 'node:fs', 'node:fs/promises', 'node:http', 'node:https', 'node:dns'];

/** All that a part may import: parts, by name, and `errors`. */
export function allowedFor(part) {
  const { may, basic = false, alone = false } = layers[part];
  if (alone) return new Set([part]);
  return new Set([...(basic ? ['errors'] : common), ...may, part]);
}

function ruleOf(part) {
  const { pure = false, alone = false } = layers[part];
  const includes = part === 'backend' ? 'src/backend/*.ts' : `src/${part}/**`;
  if (alone) {
    const message = `${part} runs in browsers too: it imports nothing but its own files.`;
    return override(includes, ['../**', 'node:*'], message);
  }
  const allowed = allowedFor(part);
  const refused = [];
  for (const other of parts) {
    if (allowed.has(other)) continue;
    // The rule for `backend` is about the files of that folder, and not about the folders inside it. Those are refused by
    // their own names, since a neighbour imports them as `../nginx/`.
    refused.push(other === 'backend' ? '**/backend/*.js' : `**/${other.split('/').at(-1)}/**`);
  }
  if (pure) refused.push(...sockets);
  const list = [...allowed].filter((name) => name !== part).join(', ');
  return override(includes, refused, `${part} imports ${list} only${pure ? ', and no sockets or files' : ''}.`);
}

function override(includes, group, message) {
  const patterns = [{ group, message }];
  const noRestrictedImports = { level: 'error', options: { patterns } };
  return { includes: [includes], linter: { rules: { style: { noRestrictedImports } } } };
}

/** biome.json with the rules of the table; overrides that are about other things stay. */
export function withRules(biome) {
  const isOurs = ({ includes }) => /^src\/(?!client\/operations)/.test(includes[0]);
  const others = biome.overrides.filter((entry) => !isOurs(entry));
  return { ...biome, overrides: [...Object.keys(layers).map(ruleOf), ...others] };
}

/** Cycles of imports among the files below `folder`, each as a list of paths. */
export function findCycles(folder) {
  const files = readdirSync(folder, { recursive: true }).filter((file) => file.endsWith('.ts'));
  const known = new Set(files.map((file) => normalize(file)));
  const imports = new Map();
  for (const file of known) {
    const text = readFileSync(join(folder, file), 'utf8');
    const found = [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']*)\.js'/g)];
    imports.set(
      file,
      found.map((match) => normalize(join(dirname(file), `${match[1]}.ts`))).filter((target) => known.has(target)),
    );
  }
  return cyclesOf(imports);
}

/** Tarjan's strongly connected components with more than one member. */
export function cyclesOf(graph) {
  const cycles = [];
  const order = new Map();
  const lowest = new Map();
  const stack = [];
  const visit = (node) => {
    order.set(node, order.size);
    lowest.set(node, order.get(node));
    stack.push(node);
    for (const next of graph.get(node)) {
      if (!order.has(next)) visit(next);
      if (stack.includes(next)) lowest.set(node, Math.min(lowest.get(node), lowest.get(next)));
    }
    if (lowest.get(node) !== order.get(node)) return;
    const cycle = stack.splice(stack.indexOf(node));
    if (cycle.length > 1) cycles.push(cycle.sort());
  };
  for (const node of graph.keys()) if (!order.has(node)) visit(node);
  return cycles;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const path = join(root, 'biome.json');
  const before = readFileSync(path, 'utf8');
  const after = withRules(JSON.parse(before));
  if (process.argv.includes('--check')) {
    const isSame = JSON.stringify(JSON.parse(before)) === JSON.stringify(after);
    if (!isSame)
      console.error('biome.json has other import rules than scripts/layers.mjs: run node scripts/layers.mjs');
    const cycles = findCycles(join(root, 'src'));
    for (const cycle of cycles)
      console.error(`files import each other: ${cycle.map((file) => relative('.', join('src', file))).join(', ')}`);
    process.exit(isSame && cycles.length === 0 ? 0 : 1);
  }
  writeFileSync(path, `${JSON.stringify(after, null, 2)}\n`);
  execFileSync('npx', ['biome', 'format', '--write', path], { cwd: root, stdio: 'inherit' });
}
