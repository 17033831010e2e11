import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { api } from '../../api/http.js';
import type { ConfigView } from '../../api/types.js';
import { type ShownError, shown } from '../../state/action.js';
import { cameraLooks, type Look } from '../../state/health.js';
import { node } from '../../state/store.js';
import { bytes, count, dateTime } from '../../ui/format.js';
import { WarnIcon } from '../../ui/icons.js';
import { Badge } from '../../ui/mark.js';
import { ErrorNote, Fact, Since, Until } from '../../ui/parts.js';

const refreshMs = 5000;

/** What this node runs with, where each value comes from, and what is wrong with it. */
export function Configuration() {
  const config = useSignal<ConfigView | null>(null);
  const error = useSignal<ShownError | null>(null);
  useEffect(() => {
    const load = () =>
      api.call('getConfig').then(
        ({ body }) => {
          config.value = body;
          error.value = null;
        },
        (reason: unknown) => {
          error.value = shown(reason);
        },
      );
    void load();
    const timer = setInterval(() => void load(), refreshMs);
    return () => clearInterval(timer);
  }, []);
  return (
    <>
      <ErrorNote error={error.value} />
      {config.value !== null && (
        <>
          <Problems config={config.value} />
          <NodeFacts />
          <ContentManager config={config.value} />
          <Webhooks config={config.value} />
          <Values config={config.value} />
        </>
      )}
    </>
  );
}

function Problems({ config }: { config: ConfigView }) {
  return (
    <section class="panel" aria-labelledby="problems-title">
      <h2 id="problems-title">Problems</h2>
      {config.problems.length === 0 ? (
        <p>
          <Badge look={cameraLooks.live} text="none" />
        </p>
      ) : (
        config.problems.map(({ code, message, since }) => (
          <div class="note bad" key={code + message}>
            <WarnIcon />
            <span>
              {message}
              <code class="code">{code}</code>
              <span class="muted">
                {' '}
                for <Since iso={since} />
              </span>
            </span>
          </div>
        ))
      )}
    </section>
  );
}

function NodeFacts() {
  const self = node.value;
  if (self === null) return null;
  return (
    <section class="panel" aria-labelledby="node-title">
      <h2 id="node-title">This node</h2>
      <dl class="facts">
        <Fact name="Name">{self.name}</Fact>
        <Fact name="Version">{self.version}</Fact>
        <Fact name="RTMP">
          {self.rtmp.host}:{self.rtmp.port}
        </Fact>
        <Fact name="Location">{self.location ?? '–'}</Fact>
        <Fact name="Backend">{self.backend}</Fact>
        <Fact name="Up for">
          <Since iso={self.startedAt} />
        </Fact>
        {Object.entries(self.backendFacts).map(([name, value]) => (
          <Fact key={name} name={factName(name)}>
            {factValue(name, value)}
          </Fact>
        ))}
      </dl>
    </section>
  );
}

/** `mediaKeptBytes`: `Media kept`. */
function factName(name: string): string {
  const words = name.replace(/Bytes$/, '').replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function factValue(name: string, value: string | number | boolean | null): string {
  if (typeof value !== 'number') return String(value ?? '–');
  return name.endsWith('Bytes') ? bytes(value) : count(value);
}

const announcementLooks: Readonly<Record<string, Look>> = {
  accepted: { tone: 'ok', label: 'accepted', shape: 'disc' },
  announcing: { tone: 'busy', label: 'announcing', shape: 'ring' },
  waiting: { tone: 'bad', label: 'waiting', shape: 'triangle' },
};

function ContentManager({ config }: { config: ConfigView }) {
  const { contentManager } = config;
  if (contentManager === null) return null;
  const { url, state, since, address, lastError, nextRetryAt } = contentManager;
  return (
    <section class="panel" aria-labelledby="manager-title">
      <h2 id="manager-title">Content manager</h2>
      <p>
        <Badge look={announcementLooks[state] ?? { tone: 'off', label: state, shape: 'bar' }} /> since {dateTime(since)}
      </p>
      <dl class="facts">
        <Fact name="Told">{url}</Fact>
        <Fact name="Of this address">{address}</Fact>
      </dl>
      {lastError !== null && state !== 'accepted' && (
        <div class="note bad">
          <WarnIcon />
          <span>
            {lastError.message}
            <code class="code">{lastError.code}</code>
            {nextRetryAt !== null && (
              <>
                {' '}
                next try <Until iso={nextRetryAt} />
              </>
            )}
          </span>
        </div>
      )}
    </section>
  );
}

const webhookLooks: Readonly<Record<string, Look>> = {
  ready: { tone: 'ok', label: 'ready', shape: 'disc' },
  waiting: { tone: 'bad', label: 'waiting', shape: 'triangle' },
};

/** Receivers of events, and how they take them. */
function Webhooks({ config: { webhooks } }: { config: ConfigView }) {
  if (webhooks.length === 0) return null;
  return (
    <section class="panel" aria-labelledby="webhooks-title">
      <h2 id="webhooks-title">Webhooks</h2>
      {webhooks.map(({ url, state, since, waiting, delivered, failures, dropped, lastError, nextRetryAt }) => (
        <div key={url}>
          <p>
            <Badge look={webhookLooks[state] ?? { tone: 'off', label: state, shape: 'bar' }} />{' '}
            <span class="mono">{url}</span> <span class="muted">since {dateTime(since)}</span>
          </p>
          <dl class="facts">
            <Fact name="Delivered">{count(delivered)}</Fact>
            <Fact name="Waiting">{count(waiting)}</Fact>
            <Fact name="Failed attempts">{count(failures)}</Fact>
            <Fact name="Dropped">{count(dropped.full + dropped.expired + dropped.refused)}</Fact>
          </dl>
          {lastError !== null && state === 'waiting' && (
            <div class="note bad">
              <WarnIcon />
              <span>
                {lastError.message}
                {nextRetryAt !== null && (
                  <>
                    ; next attempt <Until iso={nextRetryAt} />
                  </>
                )}
              </span>
            </div>
          )}
        </div>
      ))}
    </section>
  );
}

/** `--rtmp-port`, `rtmpPort` and `MEDIA_AGGREGATOR_RTMP_PORT` are one name. */
function plain(name: string): string {
  return name
    .trim()
    .replace(/^MEDIA_AGGREGATOR_/i, '')
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '');
}

function Values({ config }: { config: ConfigView }) {
  const search = useSignal('');
  const onlySet = useSignal(false);
  const rows = Object.entries(config.settings).filter(
    ([field, { source, names = [] }]) =>
      [field, ...names].some((name) => plain(name).includes(plain(search.value))) &&
      (!onlySet.value || source !== 'default'),
  );
  return (
    <section class="panel" aria-labelledby="values-title">
      <div class="panel-head">
        <h2 id="values-title">Running configuration</h2>
        <div class="toolbar compact">
          <label class="check">
            <input
              type="checkbox"
              checked={onlySet.value}
              onChange={(event) => {
                onlySet.value = event.currentTarget.checked;
              }}
            />
            <span>Only settings that differ from the default</span>
          </label>
          <input
            type="search"
            aria-label="Search settings"
            placeholder="Flag, variable or key"
            value={search.value}
            onInput={(event) => {
              search.value = event.currentTarget.value;
            }}
          />
        </div>
      </div>
      <div class="table-wrap">
        <table>
          <thead>
            <tr>
              <th scope="col">Setting</th>
              <th scope="col">Value</th>
              <th scope="col">From</th>
            </tr>
          </thead>
          <tbody>
            {rows.length === 0 && (
              <tr>
                <td colSpan={3} class="muted">
                  No setting matches.
                </td>
              </tr>
            )}
            {rows.map(([key, { value, source, names = [] }]) => (
              <tr key={key} class={source === 'default' ? undefined : 'is-set'}>
                <th scope="row" class="mono">
                  {names[0] ?? key}
                  {names.length > 1 && <span class="muted setting-variable">{names[1]}</span>}
                </th>
                <td class="mono">{value === null ? <span class="muted">not set</span> : String(value)}</td>
                <td>{source}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
