import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import type { Action, ShownError } from '../state/action.js';
import { nowMs } from '../state/store.js';
import { clock, duration } from './format.js';
import { CheckIcon, CopyIcon, CrossIcon, WarnIcon } from './icons.js';

/** How long ago, ticking. */
export function Since({ iso }: { iso: string }) {
  return (
    <time dateTime={iso} title={iso}>
      {duration(nowMs.value - Date.parse(iso))}
    </time>
  );
}

/** How long until then; `now` when it is past. */
export function Until({ iso }: { iso: string }) {
  const leftMs = Date.parse(iso) - nowMs.value;
  return (
    <time dateTime={iso} title={clock(iso)}>
      {leftMs <= 0 ? 'now' : `in ${duration(leftMs + 999)}`}
    </time>
  );
}

export function ErrorNote({ error }: { error: ShownError | null }) {
  return (
    <div class="error-slot" role="alert">
      {error !== null && (
        <p class="note bad">
          <WarnIcon />
          <span>
            {error.message}
            {error.code !== undefined && <code class="code">{error.code}</code>}
          </span>
        </p>
      )}
    </div>
  );
}

/** A button that says that it is at work, and cannot be pressed twice. */
export function ActionButton(props: {
  action: Action;
  onRun: () => void;
  children: ComponentChildren;
  kind?: 'primary' | 'danger' | 'plain';
  label?: string;
  disabled?: boolean;
  type?: 'button' | 'submit';
}) {
  const busy = props.action.busy.value;
  return (
    <button
      type={props.type ?? 'button'}
      class={`button ${props.kind ?? 'plain'}${busy ? ' busy' : ''}`}
      aria-label={props.label}
      aria-busy={busy}
      disabled={busy || props.disabled === true}
      onClick={props.type === 'submit' ? undefined : props.onRun}
    >
      {props.children}
    </button>
  );
}

/** Copies a text. The clipboard of browsers wants a secure page; elsewhere the old way has to do. */
function CopyButton({ text, label }: { text: string; label: string }) {
  const copied = useSignal(false);
  const copy = async () => {
    await copyText(text);
    copied.value = true;
    setTimeout(() => {
      copied.value = false;
    }, 1600);
  };
  return (
    <button type="button" class="button small" aria-label={label} onClick={() => void copy()}>
      {copied.value ? <CheckIcon /> : <CopyIcon />}
      <span aria-live="polite">{copied.value ? 'Copied' : 'Copy'}</span>
    </button>
  );
}

async function copyText(text: string): Promise<void> {
  if (window.isSecureContext && navigator.clipboard !== undefined) {
    try {
      await navigator.clipboard.writeText(text);
      return;
    } catch {
      // Not allowed: the old way.
    }
  }
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'off-screen';
  (document.querySelector('dialog[open]') ?? document.body).append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
}

/** A line to copy. */
export function Copyable({ text, label, multiline = false }: { text: string; label: string; multiline?: boolean }) {
  return (
    <div class={`copyable${multiline ? ' multiline' : ''}`}>
      {multiline ? (
        <textarea class="mono" readOnly aria-label={label} rows={text.split('\n').length} value={text} wrap="off" />
      ) : (
        <input class="mono" readOnly aria-label={label} value={text} />
      )}
      <CopyButton text={text} label={`Copy ${label}`} />
    </div>
  );
}

/** A modal dialog: the browser's own, with its focus and Escape. */
export function Dialog(props: { title: string; onClose: () => void; children: ComponentChildren }) {
  const element = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const dialog = element.current;
    dialog?.showModal();
    // Where one goes on: the first field, or the button that changes nothing. The browser would take the cross.
    dialog?.querySelector<HTMLElement>('input, select, .form-end button')?.focus();
    return () => {
      dialog?.close();
      requestAnimationFrame(keepFocus);
    };
  }, []);
  return (
    <dialog
      ref={element}
      class="dialog"
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault();
        props.onClose();
      }}
    >
      <div class="dialog-head">
        <h2 id={titleId}>{props.title}</h2>
        <button type="button" class="button icon-only" aria-label="Close" onClick={props.onClose}>
          <CrossIcon />
        </button>
      </div>
      {props.children}
    </dialog>
  );
}

/** What opened a dialog may be gone when it ends, as the selection of cameras that were removed: then the page has the focus. */
function keepFocus(): void {
  if (document.activeElement !== null && document.activeElement !== document.body) return;
  const next = document.querySelector<HTMLElement>('[role="grid"] [tabindex="0"]') ?? document.querySelector('main');
  next?.focus({ preventScroll: true });
}

/** A fact: what it is, and how much. */
export function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}
