import type { Look } from '../state/health.js';

const shapes: Readonly<Record<Look['shape'], preact.JSX.Element>> = {
  disc: <circle cx="8" cy="8" r="5.5" />,
  ring: <circle cx="8" cy="8" r="4.5" class="hollow" />,
  triangle: <path d="M8 1.8 15 14H1z" />,
  square: <rect x="2.8" y="2.8" width="10.4" height="10.4" rx="1" />,
  diamond: <path d="M8 1.2 14.8 8 8 14.8 1.2 8z" />,
  bar: <rect x="2" y="6.4" width="12" height="3.2" rx="1.2" />,
};

/** A state as a small shape; `x` and `y` are its place in a drawing. Whoever uses it says the state in words beside it, or with `title` for readers. */
export function Mark({ look, title, x, y }: { look: Look; title?: string; x?: number; y?: number }) {
  return title === undefined ? (
    <svg class={`mark tone-${look.tone}`} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      {shapes[look.shape]}
    </svg>
  ) : (
    <svg
      class={`mark tone-${look.tone}`}
      viewBox="0 0 16 16"
      width="12"
      height="12"
      x={x}
      y={y}
      role="img"
      focusable="false"
    >
      <title>{title}</title>
      {shapes[look.shape]}
    </svg>
  );
}

/** A state in words, with its shape. */
export function Badge({ look, text }: { look: Look; text?: string }) {
  return (
    <span class={`badge tone-${look.tone}`}>
      <Mark look={look} />
      {text ?? look.label}
    </span>
  );
}
