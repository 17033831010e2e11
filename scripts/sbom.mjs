/**
 * npm run sbom [-- FILE]
 *
 * The software bill of materials of what is run (no development packages), CycloneDX as JSON, to FILE or standard output.
 * Checked before it is written: it is JSON, names every package of the lock file that is installed for production, and
 * holds no addresses of a registry.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const { status, stdout, stderr } = spawnSync(
  'npm',
  ['sbom', '--sbom-format=cyclonedx', '--sbom-type=application', '--package-lock-only'],
  { encoding: 'utf8', maxBuffer: 1 << 28 },
);
if (status !== 0) fail(`npm sbom failed: ${stderr}`);
const bill = JSON.parse(stdout);
// By the lock file and not by --omit=dev, which leaves out what is run when a development package may use it as well.
const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'));
// Optional ones too: what of them is installed depends on the machine.
const shipped = new Set();
for (const [path, { version, dev, devOptional }] of Object.entries(lock.packages)) {
  if (path === '' || dev === true || devOptional === true) continue;
  shipped.add(`${path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)}@${version}`);
}
bill.components = bill.components.filter((component) => shipped.has(component['bom-ref']));
const refs = new Set([bill.metadata.component['bom-ref'], ...bill.components.map((component) => component['bom-ref'])]);
for (const one of shipped) if (!refs.has(one)) fail(`${one} is missing in it`);
bill.dependencies = bill.dependencies
  .filter(({ ref }) => refs.has(ref))
  .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((other) => refs.has(other)) }));
// Where a package was downloaded from depends on the machine that made the list.
for (const component of bill.components) {
  component.externalReferences = (component.externalReferences ?? []).filter(({ type }) => type !== 'distribution');
}
const text = `${JSON.stringify(bill, null, 2)}\n`;

const address = /https?:\/\/[^"\s]*\.tgz/.exec(text);
if (address !== null) fail(`it holds the address of a registry: ${address[0]}`);

const [file] = process.argv.slice(2);
if (file === undefined) process.stdout.write(text);
else writeFileSync(file, text);
console.error(`sbom: ${bill.components.length} packages, ${bill.bomFormat} ${bill.specVersion}`);

function fail(reason) {
  console.error(`sbom: ${reason}`);
  process.exit(1);
}
