import type { Command } from 'commander';
import { Option } from 'commander';
import { pushStates } from '../../backend/backend.js';
import type { CameraView, PushView } from '../views.js';
import { compareNames, matcherOf, selectByName } from './names.js';

/** Which pushes of the cameras are meant. */
export interface PushFilter {
  readonly state?: string;
  readonly engine?: string;
}

export interface PushOfCamera {
  readonly camera: CameraView;
  readonly push: PushView;
}

/** The options of commands that take some of the pushes. */
export function withPushFilter(command: Command): Command {
  return command
    .addOption(new Option('--state <state>', 'only pushes in this state').choices(pushStates))
    .option('--engine <engine>', 'only pushes to this streaming engine');
}

/** True for a push that the filter lets pass. */
export function isWanted({ state, engine }: PushView, filter: PushFilter): boolean {
  return (
    (filter.state === undefined || state === filter.state) && (filter.engine === undefined || engine === filter.engine)
  );
}

/**
 * The pushes that are meant by a camera (a name or a pattern), an id (the same; undefined: any) and a filter.
 * @throws CodedError CAMERA_NOT_FOUND when the text means no camera
 */
export function selectPushes(
  cameras: readonly CameraView[],
  { camera, id, filter }: { camera: string; id?: string | undefined; filter: PushFilter },
): PushOfCamera[] {
  const isId = id === undefined ? () => true : matcherOf(id);
  return selectByName(cameras, [camera]).flatMap((each) =>
    [...each.pushes]
      .filter((push) => isId(push.id) && isWanted(push, filter))
      .sort((left, right) => compareNames(left.id, right.id))
      .map((push) => ({ camera: each, push })),
  );
}
