import { useSignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect } from 'preact/hooks';

/** Rows that are kept ready above and below what is seen. */
const spareRows = 8;
/** Pixels at the top that the bar of the page and the headings cover. */
const coveredTop = 96;

/**
 * Which rows of a list in the page's own scrolling are in sight, with some to spare: `first` up to, and without, `last`;
 * `seen` is the first that is whole.
 * @param top the element at whose upper edge the first row begins
 * @param rowHeight pixels, the same for all
 */
export function useVisibleRows(
  top: RefObject<HTMLElement>,
  rowHeight: number,
  count: number,
): { readonly first: number; readonly last: number; readonly seen: number; measure: () => void } {
  const window_ = useSignal({ first: 0, last: 40, seen: 0 });
  const measure = () => {
    const edge = top.current?.getBoundingClientRect().top;
    if (edge === undefined) return;
    const first = Math.max(0, Math.floor(-edge / rowHeight) - spareRows);
    const last = Math.max(0, Math.ceil((innerHeight - edge) / rowHeight) + spareRows);
    const before = window_.peek();
    const seen = Math.max(0, Math.ceil((coveredTop - edge) / rowHeight));
    if (before.first !== first || before.last !== last || before.seen !== seen) window_.value = { first, last, seen };
  };
  useLayoutEffect(measure, [count]);
  useEffect(() => {
    let asked = 0;
    const later = () => {
      if (asked !== 0) return;
      asked = requestAnimationFrame(() => {
        asked = 0;
        measure();
      });
    };
    addEventListener('scroll', later, { passive: true });
    addEventListener('resize', later);
    return () => {
      cancelAnimationFrame(asked);
      removeEventListener('scroll', later);
      removeEventListener('resize', later);
    };
  }, []);
  const first = Math.min(window_.value.first, Math.max(0, count - 1));
  const seen = Math.min(window_.value.seen, Math.max(0, count - 1));
  return { first, seen, last: Math.max(first, Math.min(window_.value.last, count)), measure };
}
