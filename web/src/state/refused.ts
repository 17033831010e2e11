import { signal } from '@preact/signals';
import { api } from '../api/http.js';
import type { RefusedPublisherView } from '../api/types.js';

/** Who was refused as a publisher, newest first. */
export const refused = signal<readonly RefusedPublisherView[]>([]);

export async function refreshRefused(): Promise<void> {
  refused.value = (await api.call('listRefusedPublishers')).body.items;
}
