import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { CodedError, messageOf } from '../../errors.js';
import { cleanText } from '../../log/pino.js';
import { type CameraLoginOptions, cameraLogin, cameraPasswordVariable } from '../camera-login.js';
import { ApiError } from '../client.js';
import { exitCodes } from '../exit-codes.js';
import { findApi } from '../find-api.js';
import { formatBytes, json, table } from '../format.js';
import { headed } from '../headed.js';
import { type CliIo, painter } from '../io.js';
import type { FoundDeviceView, ScanView } from '../views.js';
import { type ClientOptions, type ListOptions, outputOf, repeated, withClientOptions, withOutput } from './shared.js';

/** A scan of many devices that answer slowly ends by itself before that. */
const scanTimeoutMs = 120_000;
const pictureTimeoutMs = 60_000;
/** Cameras that are added at a time. */
const addedAtOnce = 4;

interface ScanOptions extends CameraLoginOptions {
  readonly address: readonly string[];
  readonly timeout?: string;
}

interface StreamOptions extends ClientOptions, CameraLoginOptions {
  readonly stream: 'main' | 'sub';
}

interface AddOptions extends StreamOptions, ScanOptions {
  readonly name?: string;
  readonly all?: boolean;
  readonly nameFrom: 'serial' | 'name';
  readonly type?: string;
  readonly onDemand?: boolean;
  readonly sourceTransport?: 'tcp' | 'udp';
  readonly dryRun?: boolean;
}

export function addDiscoverCommands(program: Command, io: CliIo, setExitCode: (code: number) => void): void {
  const discover = withScan(withOutput(withClientOptions(program.command('discover'))))
    .description('Find ONVIF cameras in the network of the aggregator, see a picture of them, and add them')
    .addHelpText(
      'after',
      `
Cameras are asked by multicast (WS-Discovery) from the machine of the aggregator. That does not leave a network: ask cameras
in another VLAN by --address. Most cameras want a user and a password before they say what they are; a digest of the
password is sent, never the password itself.

Examples:
  $ media-aggregator discover
  $ media-aggregator discover --user admin --password-file cameras.password
  $ media-aggregator discover --address 192.0.2.7 --address 192.0.2.8:8080
  $ media-aggregator discover test 192.0.2.7 --user admin
  $ media-aggregator discover add 192.0.2.7 --name gate-1 --stream main --user admin
  $ media-aggregator discover add --all --name-from serial --user admin --password-file cameras.password
`,
    )
    .action(async (options: ListOptions & ScanOptions) => {
      const scan = await scanBy(options, io);
      const output = outputOf(options);
      if (output === 'json') io.out.write(json(scan));
      else if (output === 'name') io.out.write(scan.devices.map(({ address }) => `${cleanText(address)}\n`).join(''));
      else showScan(scan, output === 'wide', io);
    });

  withStream(withClientOptions(discover.command('test <address>')))
    .description('Take a picture of a camera, and write it as a JPEG')
    .option('--out <file>', 'file to write (default: ADDRESS.jpg in this folder)')
    .option('--from-stream', 'decode it out of the stream, even if the camera gives pictures itself')
    .addHelpText(
      'after',
      '\nExamples:\n  $ media-aggregator discover test 192.0.2.7 --stream sub --user admin --out gate.jpg\n',
    )
    .action(async (address: string, given: StreamOptions & { out?: string; fromStream?: boolean }) => {
      const options = merged(discover, given);
      const login = (await cameraLogin(options, io)) ?? {};
      const body = {
        address,
        stream: options.stream,
        ...login,
        ...(options.fromStream === true ? { fromStream: true } : {}),
      };
      const { data, ...facts } = await findApi(options, io, pictureTimeoutMs).devicePicture(body);
      const file = resolve(io.cwd, options.out ?? `${address.replace(/[^A-Za-z0-9.-]+/g, '_')}.jpg`);
      try {
        writeFileSync(file, Buffer.from(data, 'base64'));
      } catch (error) {
        throw new CodedError('OUTPUT_FAILED', `${file} cannot be written: ${messageOf(error)}`, { cause: error });
      }
      const from = facts.from === 'snapshot' ? 'the camera gave it' : 'decoded out of its stream';
      const text = `${file}: ${facts.width} x ${facts.height}, ${formatBytes(facts.bytes)}, ${from}.`;
      io.out.write(options.json ? json({ file, ...facts }) : `${cleanText(text)}\n`);
    });

  withScan(withStream(withClientOptions(discover.command('add [address]'))), { isAgain: true })
    .description('Register a camera of the network, or all that are found; each is pulled by RTSP')
    .option('--name <name>', 'name of the camera (default: see --name-from)')
    .option('--all', 'add every camera that is found and is not registered')
    .addOption(new Option('--name-from <what>', 'where names come from').choices(['serial', 'name']).default('serial'))
    .option('--type <type>', 'kind of camera: 360, plane ...')
    .option('--on-demand', 'pull it only while a push or a viewer needs it')
    .addOption(new Option('--source-transport <how>', 'how its media comes').choices(['tcp', 'udp']))
    .option('--dry-run', 'only say what would be added')
    .addHelpText(
      'after',
      `
Adding a camera that is there with the same settings changes nothing. With --all, cameras that cannot be added are told with
their reasons, and the others are added; exit code 1 then.

Examples:
  $ media-aggregator discover add 192.0.2.7 --name gate-1 --stream main --user admin
  $ media-aggregator discover add --all --name-from serial --stream sub --on-demand --user admin --password-file cameras.password
`,
    )
    .action(async (address: string | undefined, given: AddOptions) => {
      const options = merged(discover, given);
      if ((address === undefined) === (options.all !== true)) {
        throw new CodedError('USAGE', 'Say which camera to add: an ADDRESS, or --all.');
      }
      if (options.all === true && options.name !== undefined) {
        throw new CodedError('USAGE', '--name is for one camera; with --all, see --name-from.');
      }
      const login = await cameraLogin(options, io);
      setExitCode(address === undefined ? await addAll(options, login, io) : await addOne(address, options, login, io));
    });
}

type LoginGiven = { username: string; password: string } | null;

/** Options that stand before the name of a sub-command are the parent's. */
function merged<T extends object>(parent: Command, given: T): T {
  const ofParent = Object.entries(parent.opts()).filter(([, value]) => !Array.isArray(value) || value.length > 0);
  const own = Object.entries(given).filter(([, value]) => !Array.isArray(value) || value.length > 0);
  return { ...given, ...Object.fromEntries(ofParent), ...Object.fromEntries(own) };
}

function withLoginOptions(command: Command): Command {
  return command
    .option('--user <name>', 'user at the cameras (many have a list of ONVIF users apart)')
    .option('--password-file <file>', `file with the password (or ${cameraPasswordVariable}, or asked for)`);
}

function withScan(command: Command, { isAgain = false } = {}): Command {
  if (!isAgain) withLoginOptions(command);
  return command
    .option(
      '--address <address>',
      'ask this host in place of the network: HOST or HOST:PORT; may be repeated',
      repeated,
      [],
    )
    .option('--timeout <seconds>', 'how long answers are waited for, 1 to 15 (default: 3)');
}

function withStream(command: Command): Command {
  return withLoginOptions(command).addOption(
    new Option('--stream <stream>', 'the largest picture, or the next smaller one')
      .choices(['main', 'sub'])
      .default('main'),
  );
}

async function scanBy(options: ClientOptions & ScanOptions, io: CliIo, known?: LoginGiven): Promise<ScanView> {
  const { address: addresses, timeout } = options;
  const seconds = timeout === undefined ? undefined : Number(timeout.replace(/s$/, ''));
  if (seconds !== undefined && !(seconds >= 1 && seconds <= 15)) {
    throw new CodedError('USAGE', `--timeout is "${timeout}"; it is from 1 to 15 seconds`);
  }
  const login = known === undefined ? await cameraLogin(options, io) : known;
  return findApi(options, io, scanTimeoutMs).scanNetwork({
    ...(addresses.length === 0 ? {} : { addresses: [...addresses] }),
    ...(seconds === undefined ? {} : { waitMs: Math.round(seconds * 1000) }),
    ...(login ?? {}),
  });
}

function showScan({ devices, hints }: ScanView, isWide: boolean, io: CliIo): void {
  if (devices.length === 0) io.out.write('No camera was found.\n');
  else io.out.write(headed(deviceTable(devices, isWide), io));
  for (const { address, problem } of devices) {
    if (problem !== null) io.err.write(`${cleanText(`${address}: ${problem.message}`)}\n`);
  }
  for (const hint of hints) io.err.write(`${cleanText(hint)}\n`);
}

function deviceTable(devices: readonly FoundDeviceView[], isWide: boolean): string {
  const rows = devices.map((each) => [
    ...[each.address, each.name, each.maker, each.model, each.serial],
    each.problem === null ? streamsText(each) : each.problem.code,
    each.camera,
    ...(isWide ? [each.firmware, each.reference, each.problem?.message ?? null] : []),
  ]);
  const wide = isWide ? ['FIRMWARE', 'REFERENCE', 'PROBLEM'] : [];
  return table(['ADDRESS', 'NAME', 'MAKER', 'MODEL', 'SERIAL', 'STREAMS', 'CAMERA', ...wide], rows);
}

/** `main 1920x1080 H264 25/s, sub 640x360 H264`. */
function streamsText({ streams }: FoundDeviceView): string {
  return streams
    .filter(({ stream }) => stream !== 'other')
    .map(({ stream, width, height, codec, framesPerSecond }) => {
      const rate = framesPerSecond === null ? '' : ` ${framesPerSecond}/s`;
      return `${stream} ${width}x${height} ${codec}${rate}`;
    })
    .join(', ');
}

/** A name that a camera may have, out of what a device says; undefined: there is none in it. */
export function cameraNameOf(
  device: Pick<FoundDeviceView, 'serial' | 'name'>,
  from: 'serial' | 'name',
): string | undefined {
  const clean = device[from]
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+|-+$/g, '')
    .slice(0, 64);
  return clean === '' ? undefined : clean;
}

function bodyOf(address: string, name: string, options: AddOptions, login: LoginGiven) {
  const { stream, type, onDemand, sourceTransport } = options;
  return {
    ...{ address, name, stream },
    ...(type === undefined ? {} : { type }),
    ...(onDemand === true ? { mode: 'on-demand' as const } : {}),
    ...(sourceTransport === undefined ? {} : { transport: sourceTransport }),
    ...(login ?? {}),
  };
}

async function addOne(address: string, options: AddOptions, login: LoginGiven, io: CliIo): Promise<number> {
  const { name = await nameOf(address, options, login, io) } = options;
  if (options.dryRun === true) {
    io.out.write(`Would add ${cleanText(address)} as ${cleanText(name)}.\n`);
    return exitCodes.ok;
  }
  const { camera, created } = await findApi(options, io, pictureTimeoutMs).addDevice(
    bodyOf(address, name, options, login),
  );
  if (options.json) io.out.write(json(camera));
  else io.out.write(`${cleanText(addedText(camera.name, created, camera.source?.url))}\n`);
  return exitCodes.ok;
}

function addedText(name: string, created: boolean, url: string | undefined): string {
  return `Camera ${name} ${created ? 'is registered' : 'was registered already'}. It is pulled from ${url ?? ''}`;
}

async function nameOf(address: string, options: AddOptions, login: LoginGiven, io: CliIo): Promise<string> {
  const { devices } = await scanBy({ ...options, address: [address] }, io, login);
  const [device] = devices;
  const name = device === undefined ? undefined : cameraNameOf(device, options.nameFrom);
  if (name !== undefined) return name;
  const why = device?.problem == null ? '' : ` (${device.problem.code}: ${device.problem.message})`;
  throw new CodedError(
    'USAGE',
    `${address} tells no ${options.nameFrom} to name the camera by${why}; give --name NAME`,
  );
}

async function addAll(options: AddOptions, login: LoginGiven, io: CliIo): Promise<number> {
  const scan = await scanBy(options, io, login);
  const client = findApi(options, io, pictureTimeoutMs);
  const paint = painter(io.err, io.env);
  const results: { address: string; name: string | null; outcome: string; message?: string }[] = [];
  const taken = new Map<string, string>();
  const failed = (address: string, name: string | null, message: string): void => {
    results.push({ address, name, outcome: 'failed', message });
    io.err.write(`${paint('red', 'failed')}: ${cleanText(`${address}: ${message}`)}\n`);
  };
  const wanted: { device: FoundDeviceView; name: string }[] = [];
  for (const device of scan.devices) {
    const name = cameraNameOf(device, options.nameFrom);
    const { address, problem, camera, sameSerialAs } = device;
    if (camera !== null) results.push({ address, name: camera, outcome: 'unchanged' });
    else if (problem !== null) failed(address, null, `${problem.code}: ${problem.message}`);
    else if (sameSerialAs !== null)
      failed(address, null, `${sameSerialAs} has the same serial number, ${device.serial}`);
    else if (name === undefined) failed(address, null, `it tells no ${options.nameFrom} to name the camera by`);
    else if (taken.has(name)) failed(address, name, `"${name}" is the name of ${taken.get(name)} already`);
    else {
      taken.set(name, address);
      wanted.push({ device, name });
    }
  }
  const lane = async (): Promise<void> => {
    for (let next = wanted.shift(); next !== undefined; next = wanted.shift()) {
      const { device, name } = next;
      const { address } = device;
      if (options.dryRun === true) {
        results.push({ address, name, outcome: 'would-be-created' });
        if (!options.json) io.out.write(`Would add ${cleanText(address)} as ${name}.\n`);
        continue;
      }
      try {
        const { camera, created } = await client.addDevice(bodyOf(address, name, options, login));
        results.push({ address, name, outcome: created ? 'created' : 'unchanged' });
        if (!options.json) io.out.write(`${cleanText(addedText(name, created, camera.source?.url))}\n`);
      } catch (error) {
        if (!(error instanceof ApiError) && !(error instanceof CodedError)) throw error;
        const code = error instanceof ApiError ? error.apiCode : error.code;
        failed(address, name, `${code}: ${error.message}`);
      }
    }
  };
  await Promise.all(Array.from({ length: addedAtOnce }, lane));
  for (const hint of scan.devices.length === 0 ? scan.hints : []) io.err.write(`${cleanText(hint)}\n`);
  const count = (outcome: string): number => results.filter((each) => each.outcome === outcome).length;
  if (options.json) io.out.write(json({ results }));
  else {
    const added = options.dryRun === true ? `${count('would-be-created')} would be added` : `${count('created')} added`;
    io.out.write(`${added}, ${count('unchanged')} there already, ${count('failed')} failed.\n`);
  }
  return count('failed') > 0 || scan.devices.length === 0 ? exitCodes.failed : exitCodes.ok;
}
