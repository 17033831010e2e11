import { fileURLToPath } from 'node:url';
import { type RunningProcess, startProcess } from './process.js';
import type { Scope } from './scope.js';
import { waitFor } from './wait.js';

const script = fileURLToPath(new URL('rtsp-server.py', import.meta.url));

/** A real RTSP server (GStreamer's). Mounts: /cam (H.264 and G.711), /vp8. */
export async function startRtspServer(
  scope: Scope,
  login: { readonly scheme: 'basic' | 'digest'; readonly user: string; readonly password: string } | null = null,
): Promise<{ readonly process: RunningProcess; url(path: string, password?: string): string }> {
  const args = login === null ? [] : [login.scheme, login.user, login.password];
  const process = startProcess(scope, '/usr/bin/python3', [script, ...args], { name: 'rtsp-server' });
  const port = await waitFor(() => /^(\d+)$/m.exec(process.stdout)?.[1], { what: 'the RTSP server' });
  return {
    process,
    url(path, password = login?.password ?? '') {
      const user = login === null ? '' : `${login.user}:${encodeURIComponent(password)}@`;
      return `rtsp://${user}127.0.0.1:${port}/${path}`;
    },
  };
}
