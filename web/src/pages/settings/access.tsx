import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { api } from '../../api/http.js';
import type { Scope, TokenView } from '../../api/types.js';
import { observe, type ShownError, shown, useAction } from '../../state/action.js';
import { serverNow } from '../../state/clock.js';
import { session } from '../../state/store.js';
import { Field, Form } from '../../ui/form.js';
import { dateTime } from '../../ui/format.js';
import { PlusIcon } from '../../ui/icons.js';
import { ActionButton, Copyable, Dialog, ErrorNote, Fact } from '../../ui/parts.js';

const callers: Readonly<Record<string, string>> = {
  local: 'the user of the aggregator on this machine, who needs no token',
  open: 'anybody, because the API asks for no token (api-auth off)',
  'admin-token': 'the admin token',
  token: 'a token',
  jwt: 'a token of the identity provider',
};

const rights: Readonly<Record<Scope, string>> = {
  read: 'see everything and change nothing (scope “read”)',
  operate: 'change cameras, pushes and engines (scope “operate”)',
  admin: 'do everything (scope “admin”)',
};

/** Who is signed in, and the tokens. */
export function Access() {
  const { caller, name, scope, expiresAt } = session.value ?? {
    caller: '',
    name: null,
    scope: 'read',
    expiresAt: null,
  };
  return (
    <>
      <section class="panel" aria-labelledby="session-title">
        <h2 id="session-title">You</h2>
        <p>
          You are known as {callers[caller] ?? caller}
          {name !== null && ` “${name}”`}, and may {rights[scope]}
          {expiresAt === null ? '.' : `, until ${dateTime(expiresAt)}.`}
        </p>
      </section>
      {scope === 'admin' ? (
        <Tokens />
      ) : (
        <p class="muted tokens-hint">
          Tokens are made and revoked by those whose token has the scope “admin”, and on the machine of the aggregator
          with “media-aggregator token”.
        </p>
      )}
    </>
  );
}

function Tokens() {
  const tokens = useSignal<readonly TokenView[]>([]);
  const error = useSignal<ShownError | null>(null);
  const adding = useSignal(false);
  const load = async () => {
    tokens.value = (await api.call('listTokens')).body.items;
    return tokens.value;
  };
  useEffect(() => {
    load().catch((reason: unknown) => {
      error.value = shown(reason);
    });
  }, []);
  return (
    <section class="panel" aria-labelledby="tokens-title">
      <div class="panel-head">
        <h2 id="tokens-title">Tokens</h2>
        <button
          type="button"
          class="button primary"
          onClick={() => {
            adding.value = true;
          }}
        >
          <PlusIcon /> Create a token
        </button>
      </div>
      <ErrorNote error={error.value} />
      {tokens.value.length === 0 ? (
        <p class="muted">No token has been created yet. The admin token is in the data folder.</p>
      ) : (
        <ul class="rows">
          {tokens.value.map((token) => (
            <li key={token.id}>
              <Token token={token} load={load} />
            </li>
          ))}
        </ul>
      )}
      {adding.value && (
        <TokenDialog
          load={load}
          onClose={() => {
            adding.value = false;
          }}
        />
      )}
    </section>
  );
}

interface Loading {
  readonly load: () => Promise<readonly TokenView[]>;
}

function Token({ token, load }: { token: TokenView } & Loading) {
  const action = useAction();
  const revoke = () =>
    action.run(async () => {
      await api.call('revokeToken', { path: { name: token.name } });
      await observe(`that ${token.name} is revoked`, async () => (await load()).every(({ id }) => id !== token.id));
    });
  return (
    <article class="row" aria-label={`Token ${token.name}`}>
      <div class="row-main">
        <h3 class="mono">{token.name}</h3>
        <dl class="facts small">
          <Fact name="Scope">{token.scope}</Fact>
          <Fact name="Made">{dateTime(token.createdAt)}</Fact>
          <Fact name="Ends">{token.expiresAt === null ? 'never' : dateTime(token.expiresAt)}</Fact>
          <Fact name="Last used">{token.lastUsedAt === null ? 'not yet' : dateTime(token.lastUsedAt)}</Fact>
        </dl>
        <ErrorNote error={action.error.value} />
      </div>
      <ActionButton action={action} kind="danger" onRun={() => void revoke()} label={`Revoke ${token.name}`}>
        Revoke
      </ActionButton>
    </article>
  );
}

const lifetimes = [
  { days: 0, label: 'no end' },
  { days: 1, label: 'a day' },
  { days: 30, label: '30 days' },
  { days: 365, label: 'a year' },
];

function TokenDialog({ load, onClose }: { onClose: () => void } & Loading) {
  const name = useSignal('');
  const scope = useSignal<Scope>('read');
  const days = useSignal(0);
  const made = useSignal<string | null>(null);
  const action = useAction();
  const make = () =>
    action.run(async () => {
      const end = days.value === 0 ? {} : { expiresAt: new Date(serverNow() + days.value * 86_400_000).toISOString() };
      const body = { name: name.value.trim(), scope: scope.value, ...end };
      const { body: added } = await api.call('createToken', { body });
      made.value = added.token;
      await observe(`the token ${added.name}`, async () => (await load()).some(({ id }) => id === added.id));
    });
  if (made.value !== null) {
    return (
      <Dialog title={`The token ${name.value}`} onClose={onClose}>
        <p>Copy it now: it will not be shown again.</p>

        <Copyable text={made.value} label="the new token" />
        <div class="form-end">
          <button type="button" class="button primary" onClick={onClose}>
            Done
          </button>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog title="Create a token" onClose={onClose}>
      <Form onSubmit={make}>
        <Field
          label="Name"
          of={name}
          required
          mono
          placeholder="content-manager"
          hint="Who will use it."
          invalid={action.error.value?.field === 'name'}
        />
        <div class="field">
          <label for="token-scope">Scope</label>
          <select
            id="token-scope"
            value={scope.value}
            onChange={(event) => {
              scope.value = event.currentTarget.value as Scope;
            }}
          >
            <option value="read">read: see everything</option>
            <option value="operate">operate: also change cameras, pushes and engines</option>
            <option value="admin">admin: also create tokens</option>
          </select>
        </div>
        <div class="field">
          <label for="token-days">Expires after</label>
          <select
            id="token-days"
            value={days.value}
            onChange={(event) => {
              days.value = Number(event.currentTarget.value);
            }}
          >
            {lifetimes.map((lifetime) => (
              <option key={lifetime.days} value={lifetime.days}>
                {lifetime.label}
              </option>
            ))}
          </select>
        </div>
        <ErrorNote error={action.error.value} />
        <div class="form-end">
          <ActionButton
            action={action}
            kind="primary"
            type="submit"
            onRun={() => {}}
            disabled={name.value.trim() === ''}
          >
            Create token
          </ActionButton>
        </div>
      </Form>
    </Dialog>
  );
}
