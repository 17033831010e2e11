import { execFile } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Settings } from '../../config/index.js';
import { plural } from '../../plural.js';
import { keptFree } from '../../process/open-files.js';
import { type Check, fail, ok, warn } from './check.js';

const oldestNode = 20;

/** When the long-term lines of Node.js end (https://nodejs.org/en/about/previous-releases): no fixes come after that. */
const lineEnds: ReadonlyMap<number, string> = new Map([
  [20, '2026-04-30'],
  [22, '2027-04-30'],
  [24, '2028-04-30'],
  [26, '2029-04-30'],
]);

export function checkNode(version: string = process.versions.node, nowMs: number = Date.now()): Check {
  const major = Number(version.split('.')[0]);
  const end = lineEnds.get(major);
  if (end !== undefined && nowMs > Date.parse(end)) {
    const advice = 'It runs; install a newer long-term line from https://nodejs.org.';
    return warn('Node.js', `${version}, whose line has had no fixes since ${end}`, advice);
  }
  return major >= oldestNode
    ? ok('Node.js', version)
    : fail('Node.js', `${version} is too old`, `Install Node.js ${oldestNode} or later from https://nodejs.org.`);
}

const clockSlackMs = 60_000;

/**
 * A clock that is wrong makes wrong times in answers and logs; a clock behind its own files went backwards.
 * @param dataDir undefined: its files cannot be looked at
 */
export function checkClock(dataDir: string | undefined, nowMs: number = Date.now()): Check {
  const name = 'clock';
  const program = new URL('../../../package.json', import.meta.url);
  const known = dataDir === undefined ? [program] : [program, join(dataDir, 'state.json')];
  const newestMs = Math.max(...known.map((file) => (existsSync(file) ? statSync(file).mtimeMs : 0)));
  const now = new Date(nowMs).toISOString();
  const behindMs = newestMs - nowMs;
  return behindMs > clockSlackMs
    ? fail(
        name,
        `${now} is ${Math.round(behindMs / 1000)} s before files that are there`,
        'Set the clock, best by NTP.',
      )
    : ok(name, now);
}

/** Programs that help, but that the aggregator does without. */
export async function checkPrograms(
  env: Readonly<Record<string, string | undefined>>,
  { srtPort, media }: { readonly srtPort?: number; readonly media: { readonly ffmpeg: string } },
): Promise<Check[]> {
  // nginx lies in /usr/sbin on Debian, which is not in the PATH of ordinary users.
  const path = `${env.PATH ?? ''}:/usr/sbin:/usr/local/sbin`;
  const [ffmpeg, nginx] = await Promise.all([
    programVersion(media.ffmpeg, ['-version'], /ffmpeg version (\S+)/, { ...env, PATH: path }),
    programVersion('nginx', ['-v'], /nginx\/(\S+)/, { ...env, PATH: path }),
  ]);
  return [
    ffmpegCheck(media.ffmpeg, ffmpeg, srtPort !== undefined),
    programCheck('nginx', nginx, 'with its RTMP module as a target in the tests'),
  ];
}

/** @param takesSrt encoders publish by SRT, which needs it */
function ffmpegCheck(program: string, version: string | undefined, takesSrt: boolean): Check {
  if (version === undefined && takesSrt) {
    const advice = 'Install ffmpeg, or name it with --ffmpeg.';
    return fail('ffmpeg', `"${program}" is not there, and srt-port needs it for each encoder`, advice);
  }
  const purpose = 'for SRT encoders and for sources by RTSP, SRT, HLS and MPEG-TS, and to try cameras';
  const check = programCheck('ffmpeg', version, purpose);
  const isOld = /^[nN]?[0-5]\./.test(version ?? '') || /^[nN]?6\.0/.test(version ?? '');
  return isOld ? { ...check, message: `${check.message}; H.265 and AV1 take 6.1` } : check;
}

function programCheck(name: string, version: string | undefined, purpose: string): Check {
  return ok(name, version === undefined ? `not installed; only needed ${purpose}` : `${version}; used ${purpose}`);
}

function programVersion(
  program: string,
  args: readonly string[],
  pattern: RegExp,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(program, [...args], { env, timeout: 10_000 }, (error, stdout, stderr) => {
      const found = pattern.exec(stdout + stderr)?.[1];
      resolve(error !== null && found === undefined ? undefined : (found ?? 'unknown version'));
    });
  });
}

/** Files, log, API clients and the runtime's own. */
const otherDescriptors = 256;
/** The runtime's own, before anybody connects. */
const ownDescriptors = 32;

/** What is registered. */
export interface Registered {
  readonly cameras: number;
  readonly pushes: number;
}

/**
 * Each connection, and each push, is an open file to the system. Node raises the soft limit to the hard one.
 * @param registered cameras and pushes of the data folder, which need one each while they are live
 */
export function checkOpenFiles(
  settings: Settings,
  limits: string = readLimits(),
  { cameras, pushes }: Registered = { cameras: 0, pushes: 0 },
): Check {
  const name = 'open files';
  const text = /^Max open files\s+(\S+)/m.exec(limits)?.[1];
  if (text === undefined) return ok(name, 'this system does not tell its limit');
  const { maxConnections } = settings.media;
  const limit = text === 'unlimited' ? Number.POSITIVE_INFINITY : Number(text);
  const needed = Math.max(maxConnections, cameras) + pushes + otherDescriptors;
  const room = Math.max(0, limit - ownDescriptors - keptFree('media', limit));
  const registered = `${plural(cameras, 'camera')} and ${plural(pushes, 'push', 'pushes')} are registered`;
  if (limit >= needed) {
    const files = `enough for ${plural(maxConnections, 'connection')}, ${plural(pushes, 'push', 'pushes')} and ${otherDescriptors} other files`;
    return ok(name, `limit ${text}, ${files}`);
  }
  const found =
    `limit ${text}, less than the ${needed} that ${plural(maxConnections, 'connection')}, ${plural(pushes, 'push', 'pushes')} and ` +
    `${otherDescriptors} other files need; it leaves room for ${room} cameras, viewers and pushes together, one each ` +
    `(10 cameras with 4 pushes each are 50); ${registered}`;
  const advice = `Raise it ("ulimit -n ${needed * 2}", LimitNOFILE= in systemd), or lower --max-connections.`;
  return cameras + pushes > room ? fail(name, found, advice) : warn(name, found, advice);
}

function readLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'utf8');
  } catch {
    return '';
  }
}
