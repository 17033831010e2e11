import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { api } from '../api/http.js';
import type { CameraView } from '../api/types.js';
import { mayOperate } from './store.js';

const maskedKey = 'key=***';

/**
 * Where a camera publishes to, with its key where keys are wanted: lists show it masked, the camera alone shows it to those
 * who may change it. Masked while it is not known, and for all others.
 */
export function useEndpoint({ name, endpoint }: CameraView): { endpoint: string; reload: () => Promise<void> } {
  const known = useSignal<string | null>(null);
  const wanted = endpoint.includes(maskedKey) && mayOperate.value;
  const reload = async () => {
    known.value = (await api.call('getCamera', { path: { name } })).body.endpoint;
  };
  useEffect(() => {
    // Without it the masked one stays: nothing to copy, and nothing wrong to see.
    if (wanted) reload().catch(() => undefined);
  }, [name, wanted]);
  const shown = endpoint.includes('key=') ? (known.value ?? endpoint) : endpoint;
  return { endpoint: shown, reload };
}
