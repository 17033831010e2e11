import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';

/** Rows that are kept ready above and below what is seen: so many that Tab always finds the next. */
const spareRows = 2;

/**
 * A grid of equally high items in the page's own scrolling, of which only those in sight exist. What is out of sight is
 * room, so that the scroll bar is true.
 */
export function VirtualGrid<T>(props: {
  items: readonly T[];
  keyOf: (item: T) => string;
  /** Pixels, the gap apart, for items of this width. */
  heightOf: (width: number) => number;
  /** The least width of an item, pixels. */
  minWidth: number;
  gap: number;
  label: string;
  children: (item: T) => ComponentChildren;
}) {
  const { items, keyOf, heightOf, minWidth, gap, label } = props;
  const list = useRef<HTMLUListElement>(null);
  const columns = useSignal(1);
  const window_ = useSignal({ first: 0, last: 20 });
  const rowHeight = useSignal(heightOf(minWidth));

  const measure = () => {
    const element = list.current;
    if (element === null) return;
    const width = element.clientWidth;
    columns.value = Math.max(1, Math.floor((width + gap) / (minWidth + gap)));
    rowHeight.value = Math.round(heightOf((width + gap) / columns.peek() - gap));
    const pitch = rowHeight.peek() + gap;
    const top = element.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(-top / pitch) - spareRows);
    const last = Math.max(0, Math.ceil((innerHeight - top) / pitch) + spareRows);
    const before = window_.peek();
    if (before.first !== first || before.last !== last) window_.value = { first, last };
  };
  useLayoutEffect(measure, [items.length]);
  useEffect(() => {
    let asked = 0;
    const onScroll = () => {
      if (asked !== 0) return;
      asked = requestAnimationFrame(() => {
        asked = 0;
        measure();
      });
    };
    const resized = new ResizeObserver(onScroll);
    if (list.current !== null) resized.observe(list.current);
    addEventListener('scroll', onScroll, { passive: true });
    addEventListener('resize', onScroll);
    return () => {
      cancelAnimationFrame(asked);
      resized.disconnect();
      removeEventListener('scroll', onScroll);
      removeEventListener('resize', onScroll);
    };
  }, []);

  const perRow = columns.value;
  const pitch = rowHeight.value + gap;
  const rows = Math.ceil(items.length / perRow);
  const first = Math.min(window_.value.first, Math.max(0, rows - 1));
  const last = Math.min(window_.value.last, rows);
  const shown = items.slice(first * perRow, last * perRow);
  return (
    <ul
      ref={list}
      class="virtual-grid"
      aria-label={label}
      style={{
        paddingTop: `${first * pitch}px`,
        paddingBottom: `${Math.max(0, rows - last) * pitch}px`,
        gridTemplateColumns: `repeat(${perRow}, minmax(0, 1fr))`,
        gridAutoRows: `${rowHeight.value}px`,
        gap: `${gap}px`,
      }}
    >
      {shown.map((item, index) => (
        <li key={keyOf(item)} aria-setsize={items.length} aria-posinset={first * perRow + index + 1}>
          {props.children(item)}
        </li>
      ))}
    </ul>
  );
}
