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

/** Every part may import these, besides its own files. */
const common = ['errors', 'log'];

/**
 * By part (a folder of src/): what it may import beside the common ones (`files`: single files of other parts, that import
 * nothing themselves), and whether it is pure.
 */
export const layers = {
  log: { may: [], files: ['address/plain-address'] },
  events: { may: [], pure: true },
  files: { may: [] },
  address: { may: [] },
  json: { may: ['address', 'nearest'], pure: true },
  wire: { may: [], pure: true },
  relay: { may: ['wire'], pure: true },
  tls: { may: ['files'] },
  net: { may: ['address', 'socket-progress'] },
  rtmp: { may: ['address', 'net', 'relay', 'wire'] },
  push: { may: ['address', 'events', 'net', 'relay', 'rtmp', 'wire'] },
  ingest: { may: ['address', 'events', 'net', 'relay', 'rtmp', 'wire'] },
  admission: { may: ['address', 'rtmp'] },
  model: { may: ['address', 'json', 'nearest'], pure: true },
  store: { may: ['files', 'json', 'model'] },
  'nginx-conf': { may: [] },
  import: { may: ['address', 'model', 'nginx-conf'] },
  backend: { may: ['admission', 'events'] },
  'backend/native': {
    may: ['address', 'admission', 'backend', 'events', 'ingest', 'net', 'push', 'relay', 'rtmp', 'tls', 'wire'],
  },
  'backend/workers': {
    may: ['address', 'admission', 'backend', 'backend/native', 'events', 'net', 'rtmp', 'socket-progress', 'tls'],
  },
  'backend/nginx': {
    may: ['address', 'backend', 'events', 'files', 'net', 'nginx-conf', 'push', 'relay', 'rtmp'],
  },
  control: { may: ['address', 'admission', 'backend', 'events', 'model', 'store'] },
  access: { may: ['address', 'files', 'json'] },
  announce: { may: [] },
  webhooks: { may: ['events'], pure: true },
  config: { may: ['address', 'events', 'nearest'] },
  client: { may: [], alone: true },
  api: {
    may: [
      'access',
      'address',
      'announce',
      'backend',
      'config',
      'control',
      'events',
      'json',
      'model',
      'socket-progress',
      'tls',
      'webhooks',
    ],
  },
};

/** Parts that only `cli` puts together, and files that stand alone in src/. */
const parts = [...Object.keys(layers), 'cli'];
const singles = ['nearest', 'socket-progress'];
/** What a pure part never uses. */
const sockets = ['node:net', 'node:tls', 'node:fs', 'node:fs/promises', 'node:http', 'node:https', 'node:dns'];

function ruleOf(part) {
  const { may, files = [], pure = false, alone = false } = layers[part];
  const includes = part === 'backend' ? 'src/backend/*.ts' : `src/${part}/**`;
  if (alone) {
    const message = `${part} runs in browsers too: it imports nothing but its own files.`;
    return override(includes, ['../**', 'node:*'], message);
  }
  const allowed = new Set([...common, ...may, part]);
  const refused = [];
  for (const other of parts) {
    // A folder inside another one: the rule for the outer one is that of its own files.
    if (allowed.has(other) || other === part) continue;
    if (other === 'backend') refused.push('**/backend/*.js');
    else refused.push(other.startsWith(`${part}/`) ? `**/${other.slice(part.length + 1)}/**` : `**/${other}/**`);
    for (const file of files) if (file.startsWith(`${other}/`)) refused.push(`!**/${file}.js`);
  }
  for (const single of singles) if (!allowed.has(single)) refused.push(`**/${single}.js`);
  if (pure) refused.push(...sockets);
  const list = [...common, ...may, ...files].join(', ');
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

/** Circles of imports among the files below `folder`, each as a list of paths. */
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
  return circlesOf(imports);
}

/** Tarjan's strongly connected components with more than one member. */
function circlesOf(graph) {
  const circles = [];
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
    const circle = stack.splice(stack.indexOf(node));
    if (circle.length > 1) circles.push(circle.sort());
  };
  for (const node of graph.keys()) if (!order.has(node)) visit(node);
  return circles;
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
    const circles = findCycles(join(root, 'src'));
    for (const circle of circles)
      console.error(`files import each other: ${circle.map((file) => relative('.', join('src', file))).join(', ')}`);
    process.exit(isSame && circles.length === 0 ? 0 : 1);
  }
  writeFileSync(path, `${JSON.stringify(after, null, 2)}\n`);
  execFileSync('npx', ['biome', 'format', '--write', path], { cwd: root, stdio: 'inherit' });
}
