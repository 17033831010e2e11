import { join } from 'node:path';
import type { MediaBackend } from '../backend/backend.js';
import type { Settings } from '../config/index.js';
import type { LogLevels } from '../log/levels.js';
import type { Logger } from '../log/log.js';

/**
 * The media backend of the settings. Each is loaded only where it is used.
 * @param secret what publish keys are made from
 */
export async function createBackend(
  settings: Settings,
  secret: Buffer,
  log: Logger,
  levels: LogLevels,
): Promise<MediaBackend> {
  if (settings.backend === 'nginx') {
    const { NginxBackend } = await import('../backend/nginx/nginx-backend.js');
    return new NginxBackend({ settings, log });
  }
  const streamSecret = secret.toString('hex');
  const { host, rtmpPort, rtmpsPort, rtmpsCert, rtmpsKey, srtPort, srtPassphraseFile: passphraseFile } = settings;
  const media = { ...settings.media, slateDir: settings.media.slateDir ?? join(settings.dataDir, 'slates') };
  const rtmps =
    rtmpsPort === undefined || rtmpsCert === undefined || rtmpsKey === undefined
      ? {}
      : { rtmps: { port: rtmpsPort, certFile: rtmpsCert, keyFile: rtmpsKey } };
  const srt =
    srtPort === undefined
      ? {}
      : { srt: { port: srtPort, ...(passphraseFile === undefined ? {} : { passphraseFile }) } };
  if (settings.workers > 0) {
    const { WorkersBackend } = await import('../backend/workers/workers-backend.js');
    const { workers } = settings;
    return new WorkersBackend({ settings: { host, rtmpPort, ...rtmps, workers, media, streamSecret }, log, levels });
  }
  const { NativeBackend } = await import('../backend/native/native-backend.js');
  return new NativeBackend({
    settings: {
      ...{ host, rtmpPort, ...rtmps, ...srt, media, streamSecret, isInCluster: settings.cluster !== undefined },
      capacity: {
        outBps: settings.capacityOutMbps === undefined ? null : settings.capacityOutMbps * 1e6,
        cameras: settings.capacityCameras ?? null,
      },
    },
    log,
  });
}
