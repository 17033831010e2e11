import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { inject, test } from 'vitest';

/** The programs that the end-to-end tests talk to; scripts/test.mjs installs them. */
export const peerNames = ['ffmpeg', 'nginx-rtmp', 'rtmpdump', 'gstreamer', 'curl'] as const;
export type PeerName = (typeof peerNames)[number];

const path = `${process.env.PATH}:/usr/sbin:/sbin`;

const runs = (command: string, ...args: string[]): boolean =>
  spawnSync(command, args, { stdio: 'ignore', env: { ...process.env, PATH: path } }).error === undefined;

const checks: Record<PeerName, () => boolean> = {
  ffmpeg: () => runs('ffmpeg', '-version') && runs('ffprobe', '-version'),
  'nginx-rtmp': () => runs('nginx', '-v') && nginxRtmpModule() !== undefined,
  rtmpdump: () => runs('rtmpdump', '--help'),
  gstreamer: () => gstreamerHas('rtmp2sink', 'flvmux', 'h264parse', 'aacparse'),
  curl: () => runs('curl', '--version'),
};

function gstreamerHas(...elements: string[]): boolean {
  return elements.every((element) => spawnSync('gst-inspect-1.0', [element], { stdio: 'ignore' }).status === 0);
}

/** Where the RTMP module of nginx lies; undefined when it is not installed. */
export function nginxRtmpModule(): string | undefined {
  return ['/usr/lib/nginx/modules', '/usr/lib64/nginx/modules', '/usr/share/nginx/modules']
    .map((folder) => `${folder}/ngx_rtmp_module.so`)
    .find((file) => existsSync(file));
}

export function missingPeers(): PeerName[] {
  return peerNames.filter((name) => !checks[name]());
}

/**
 * `test` for a case that needs these peers. They are always there, or the run does not begin; only when missing peers
 * were explicitly allowed is the case reported as skipped instead.
 */
export function testWith(...peers: PeerName[]): typeof test {
  const missing = inject('missingPeers').filter((name) => peers.includes(name));
  return missing.length > 0 ? (test.skip as typeof test) : test;
}
