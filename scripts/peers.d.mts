export type PeerName =
  | 'ffmpeg'
  | 'nginx-rtmp'
  | 'rtmpdump'
  | 'gstreamer'
  | 'rtsp-server'
  | 'chromium'
  | 'openssl'
  | 'curl'
  | 'iproute2'
  | 'caddy'
  | 'etcd'
  | 'prometheus';

export interface Peer {
  readonly name: PeerName;
  /** Names of the Debian and Ubuntu packages that bring it. */
  readonly packages: readonly string[];
  isThere(): boolean;
}

export const searchPath: string;
export const peers: readonly Peer[];
export function nginxRtmpModule(): string | undefined;
export function missingPeers(): Peer[];
