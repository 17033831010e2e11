/** The real programs that the end-to-end tests talk to: how each is recognised, and the packages that bring it. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** Where Debian keeps nginx is not in the PATH of ordinary users. */
export const searchPath = `${process.env.PATH}:/usr/sbin:/sbin`;

function succeeds(command, ...args) {
  return spawnSync(command, args, { stdio: 'ignore', env: { ...process.env, PATH: searchPath } }).status === 0;
}

/** Where the RTMP module of nginx lies; undefined when it is not installed. */
export function nginxRtmpModule() {
  return ['/usr/lib/nginx/modules', '/usr/lib64/nginx/modules', '/usr/share/nginx/modules']
    .map((folder) => `${folder}/ngx_rtmp_module.so`)
    .find((file) => existsSync(file));
}

export const peers = [
  {
    name: 'ffmpeg',
    packages: ['ffmpeg'],
    isThere: () => succeeds('ffmpeg', '-version') && succeeds('ffprobe', '-version'),
  },
  {
    name: 'nginx-rtmp',
    packages: ['nginx', 'libnginx-mod-rtmp'],
    isThere: () => succeeds('nginx', '-v') && nginxRtmpModule() !== undefined,
  },
  {
    name: 'rtmpdump',
    packages: ['rtmpdump'],
    isThere: () => succeeds('rtmpdump', '--help'),
  },
  {
    name: 'gstreamer',
    packages: ['gstreamer1.0-tools', 'gstreamer1.0-plugins-good', 'gstreamer1.0-plugins-bad'],
    isThere: () =>
      ['rtmp2sink', 'flvmux', 'h264parse', 'aacparse'].every((element) => succeeds('gst-inspect-1.0', element)),
  },
  {
    // An RTSP server of GStreamer, driven from Python (test/support/rtsp-server.py).
    name: 'rtsp-server',
    packages: ['python3-gi', 'gir1.2-gst-rtsp-server-1.0', 'gstreamer1.0-plugins-good', 'gstreamer1.0-plugins-bad'],
    isThere: () =>
      succeeds('/usr/bin/python3', '-c', 'import gi; gi.require_version("GstRtspServer", "1.0")') &&
      ['openh264enc', 'alawenc', 'rtph264pay'].every((element) => succeeds('gst-inspect-1.0', element)),
  },
  {
    name: 'chromium',
    packages: ['chromium'],
    isThere: () => succeeds('chromium', '--version'),
  },
  {
    name: 'openssl',
    packages: ['openssl'],
    isThere: () => succeeds('openssl', 'version'),
  },
  {
    name: 'curl',
    packages: ['curl'],
    isThere: () => succeeds('curl', '--version'),
  },
  {
    name: 'iproute2',
    packages: ['iproute2'],
    isThere: () => succeeds('ss', '-V') && succeeds('ip', '-V'),
  },
  {
    name: 'caddy',
    packages: ['caddy'],
    isThere: () => succeeds('caddy', 'version'),
  },
  {
    name: 'etcd',
    packages: ['etcd-server', 'etcd-client'],
    isThere: () => succeeds('etcd', '--version') && succeeds('etcdctl', 'version'),
  },
  {
    name: 'prometheus',
    packages: ['prometheus'],
    isThere: () => succeeds('prometheus', '--version') && succeeds('promtool', '--version'),
  },
];

export function missingPeers() {
  return peers.filter((peer) => !peer.isThere());
}
