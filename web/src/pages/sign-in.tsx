import { useSignal } from '@preact/signals';
import { setToken, signInReason, token } from '../api/http.js';
import { shown, useAction } from '../state/action.js';
import { loadAll } from '../state/store.js';
import { Field, Form } from '../ui/form.js';
import { ActionButton, ErrorNote } from '../ui/parts.js';

/** Asks for a token, because the server wants one. */
export function SignIn() {
  const value = useSignal('');
  const action = useAction();
  const reason = signInReason.value;
  const wasRefused = token.value !== null && reason !== null;
  const submit = () =>
    action.run(async () => {
      setToken(value.value.trim());
      await loadAll();
      signInReason.value = null;
    });
  return (
    <Form class="panel sign-in" onSubmit={submit}>
      <h1>Sign in</h1>
      <p class="muted">
        This aggregator asks for a token. Make one on its machine with <code>media-aggregator token create</code>.
      </p>
      <Field
        label="Token"
        type="password"
        of={value}
        required
        mono
        invalid={wasRefused}
        hint="It is kept in this tab only, until the tab is closed."
      />
      <ErrorNote error={action.error.value ?? (wasRefused ? shown(reason) : null)} />
      <ActionButton action={action} kind="primary" type="submit" onRun={() => {}} disabled={value.value.trim() === ''}>
        Sign in
      </ActionButton>
    </Form>
  );
}
