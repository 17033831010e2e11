import type { StreamKeys } from '../admission/stream-keys.js';
import type { DesiredCamera, DesiredIngest, DesiredSource } from '../backend/backend.js';
import { defaultSlateSeconds } from '../model/ingests.js';
import type { Camera, CameraSource } from '../model/model.js';
import { keyRules } from './camera-keys.js';

/**
 * What a media backend is asked to do for what a camera's stream comes from.
 * @param keys what publish keys are made from; undefined: publishers need none
 */
export function desiredIngests(camera: Camera, keys: StreamKeys | undefined): Omit<DesiredCamera, 'name' | 'pushes'> {
  const { ingests, source, switchBackSeconds, slate, slateSeconds = defaultSlateSeconds } = camera;
  const keysOf = (ingest?: string) => (keys === undefined ? {} : { publishKeys: keyRules(camera, keys, ingest) });
  return {
    ...keysOf(),
    ...(ingests === undefined
      ? {}
      : {
          ingests: ingests.map(
            ({ name, source: own }): DesiredIngest => ({
              ...{ name, ...keysOf(name) },
              ...(own === undefined ? {} : { source: desiredSource(own) }),
            }),
          ),
        }),
    ...(source === undefined ? {} : { source: desiredSource(source) }),
    ...(switchBackSeconds === undefined ? {} : { switchBackMs: switchBackSeconds * 1000 }),
    ...(slate === undefined ? {} : { slate: { file: slate, durationMs: slateSeconds * 1000 } }),
  };
}

/** Which device it is, is of no account to who fetches it. */
function desiredSource({ device: _, ...source }: CameraSource): DesiredSource {
  return source;
}
