import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { MoreIcon } from './icons.js';

/** Buttons that are seldom wanted, or dangerous, behind one. Closes by a choice, Escape, or a click elsewhere. */
export function Menu({ label, children }: { label: string; children: ComponentChildren }) {
  const details = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    const close = () => details.current?.removeAttribute('open');
    const onClick = (event: Event) => {
      const { current } = details;
      if (current?.open !== true || !(event.target instanceof Node)) return;
      const isChoice = event.target instanceof Element && event.target.closest('button') !== null;
      if (current.contains(event.target) && !isChoice) return;
      // A dialog that the choice opens gives the focus back to what has it now; the button is hidden then.
      if (isChoice && current.contains(event.target)) current.querySelector('summary')?.focus();
      close();
    };
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== 'Escape' || details.current?.open !== true) return;
      close();
      details.current.querySelector('summary')?.focus();
    };
    addEventListener('click', onClick);
    addEventListener('keydown', onKey);
    return () => {
      removeEventListener('click', onClick);
      removeEventListener('keydown', onKey);
    };
  }, []);
  return (
    <details class="menu" ref={details}>
      <summary class="button icon-only" aria-label={label}>
        <MoreIcon />
      </summary>
      <div class="menu-items">{children}</div>
    </details>
  );
}
