import { type Header, headerKey } from './headers.js';
import type { StreamFeed } from './stream-feed.js';

/** Those of `next` that who follows `before` does not have yet; metadata also where it names another way of the stream. */
export function changedHeaders(
  before: Pick<StreamFeed, 'headers' | 'via'>,
  { via }: Pick<StreamFeed, 'via'>,
  next: readonly Header[],
): readonly Header[] {
  const known = new Map(before.headers.map(({ type, payload }) => [headerKey(type, payload), payload]));
  const isOtherWay = via.join() !== before.via.join();
  return next.filter(({ type, payload }) => {
    const key = headerKey(type, payload);
    return known.get(key)?.equals(payload) !== true || (isOtherWay && key === 'metadata');
  });
}
