import type { DesiredState } from '../../src/model/model.js';
import type { Store } from '../../src/store/store.js';

/** Changes the state where nothing else is to be known of the change. Resolves when it is durable, to the state then. */
export async function changeState(store: Store, change: (state: DesiredState) => DesiredState): Promise<DesiredState> {
  const { state } = await store.update((before) => ({ state: change(before), result: undefined }));
  return state;
}
