import type { Signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';

/** A form that the page itself sends. */
export function Form(props: { class?: string; onSubmit: () => Promise<unknown>; children: ComponentChildren }) {
  return (
    <form
      class={props.class}
      onSubmit={(event) => {
        event.preventDefault();
        void props.onSubmit();
      }}
    >
      {props.children}
    </form>
  );
}

/** Where a field's text is kept: in a signal, or by whoever is told of each change. */
type Bound =
  | { of: Signal<string>; value?: never; onInput?: never }
  | { of?: never; value: string; onInput: (value: string) => void };

/** A labelled input. */
export function Field(
  props: Bound & {
    label: string;
    hint?: ComponentChildren;
    placeholder?: string;
    type?: 'text' | 'password' | 'search';
    required?: boolean;
    invalid?: boolean;
    list?: readonly string[];
    mono?: boolean;
  },
) {
  const id = useId();
  const value = props.of === undefined ? props.value : props.of.value;
  const onInput = (text: string): void => {
    if (props.of === undefined) props.onInput(text);
    else props.of.value = text;
  };
  return (
    <div class="field">
      <label for={id}>
        {props.label}
        {props.required === true && <span class="muted"> (required)</span>}
      </label>
      <input
        id={id}
        class={props.mono === true ? 'mono' : undefined}
        type={props.type ?? 'text'}
        value={value}
        placeholder={props.placeholder}
        required={props.required}
        aria-invalid={props.invalid === true}
        aria-describedby={props.hint === undefined ? undefined : `${id}-hint`}
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        list={props.list === undefined ? undefined : `${id}-list`}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
      {props.list !== undefined && (
        <datalist id={`${id}-list`}>
          {props.list.map((value) => (
            <option key={value} value={value} />
          ))}
        </datalist>
      )}
      {props.hint !== undefined && (
        <p class="hint" id={`${id}-hint`}>
          {props.hint}
        </p>
      )}
    </div>
  );
}
