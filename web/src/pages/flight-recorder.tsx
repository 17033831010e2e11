import { useComputed, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { api } from '../api/http.js';
import type { CameraView } from '../api/types.js';
import { type ShownError, shown } from '../state/action.js';
import type { Tone } from '../state/health.js';
import { foldOutages, isOutage, type RecorderLine as Line, type Outage, type RecorderEntry } from '../state/outages.js';
import { clock, duration } from '../ui/format.js';
import { ErrorNote } from '../ui/parts.js';

/** Lines that are shown at first. */
const shortLength = 40;
const refreshMs = 4000;

const tones: Readonly<Record<string, Tone>> = { error: 'bad', drop: 'warn', publish: 'ok', publisher: 'ok' };

/** A change of state is as good as where it leads. */
function toneOf({ kind, text }: Line): Tone {
  if (kind !== 'state') return tones[kind] ?? 'off';
  const state = text.split(' ').pop();
  return state === 'active' ? 'ok' : state === 'waiting' ? 'bad' : state === 'stalled' ? 'warn' : 'off';
}

/** What a camera and its pushes did lately, newest first. */
export function FlightRecorder({ camera }: { camera: CameraView }) {
  const lines = useSignal<readonly RecorderEntry[]>([]);
  const error = useSignal<ShownError | null>(null);
  const of = useSignal('');
  const all = useSignal(false);
  const ids = camera.pushes.map(({ id }) => id).join(' ');
  // Whenever something is seen to change, there is something to read.
  const signature = camera.pushes.map(({ state, attempt }) => `${state}${attempt}`).join() + String(camera.live);

  useEffect(() => {
    let ended = false;
    const load = async () => {
      try {
        const read = await readLines(camera.name, ids === '' ? [] : ids.split(' '));
        if (ended) return;
        lines.value = read;
        error.value = null;
      } catch (reason) {
        if (!ended) error.value = shown(reason);
      }
    };
    void load();
    const timer = setInterval(() => {
      if (!document.hidden) void load();
    }, refreshMs);
    return () => {
      ended = true;
      clearInterval(timer);
    };
  }, [camera.name, ids, signature]);

  const matching = useComputed(() =>
    lines.value.filter(({ push }) => of.value === '' || (of.value === '-' ? push === undefined : push === of.value)),
  );
  const visible = all.value ? matching.value : matching.value.slice(0, shortLength);
  return (
    <section class="panel" aria-labelledby="recorder-title">
      <div class="panel-head">
        <h2 id="recorder-title">Flight recorder</h2>
        <label class="order">
          <span>Show</span>
          <select
            value={of.value}
            onChange={(event) => {
              of.value = event.currentTarget.value;
            }}
          >
            <option value="">all</option>
            <option value="-">the camera</option>
            {camera.pushes.map(({ id }) => (
              <option key={id} value={id}>
                {id}
              </option>
            ))}
          </select>
        </label>
      </div>
      <ErrorNote error={error.value} />
      {visible.length === 0 ? (
        <p class="muted">Nothing has happened yet.</p>
      ) : (
        <ol class="timeline" reversed>
          {visible.map((entry, index) =>
            isOutage(entry) ? (
              <OutageEntry key={`${entry.from}${entry.push}`} outage={entry} />
            ) : (
              <LineEntry key={`${entry.at}${entry.push}${index}`} line={entry} />
            ),
          )}
        </ol>
      )}
      {matching.value.length > visible.length && (
        <button
          type="button"
          class="button"
          onClick={() => {
            all.value = true;
          }}
        >
          Show all {matching.value.length}
        </button>
      )}
    </section>
  );
}

function LineEntry({ line }: { line: Line }) {
  return (
    <li class={`tone-${toneOf(line)}`}>
      <time dateTime={line.at} title={line.at}>
        {clock(line.at)}
      </time>
      <span class="kind">{line.kind}</span>
      <span class="text">
        {line.push !== undefined && <span class="mono muted">{line.push} </span>}
        {line.text}
      </span>
    </li>
  );
}

/** The retries of an outage: one entry, which can be opened. */
function OutageEntry({ outage: { push, from, at, failures, first, last, lines } }: { outage: Outage }) {
  return (
    <li class="tone-bad">
      <time dateTime={from} title={from}>
        {clock(from)}
      </time>
      <span class="kind">outage</span>
      <div class="text">
        <p>
          {push !== undefined && <span class="mono muted">{push} </span>}
          {failures} failures within {duration(Date.parse(at) - Date.parse(from))}. First: {first}
          {last !== first && <> Last: {last}</>}
        </p>
        <details>
          <summary>Show all {lines.length} lines</summary>
          <ol class="timeline">
            {lines.map((line, index) => (
              <LineEntry key={`${line.at}${index}`} line={line} />
            ))}
          </ol>
        </details>
      </div>
    </li>
  );
}

async function readLines(name: string, pushes: readonly string[]): Promise<RecorderEntry[]> {
  const ofPush = async (id: string): Promise<RecorderEntry[]> => {
    const { body } = await api.call('listPushEvents', { path: { name, id } });
    return foldOutages(
      id,
      body.items.map((event) => ({ ...event, push: id })),
    );
  };
  const ofCamera = async (): Promise<RecorderEntry[]> => {
    const { body } = await api.call('listCameraEvents', { path: { name } });
    return foldOutages(
      undefined,
      body.items.map((event) => ({ ...event, push: undefined })),
    );
  };
  const parts = await Promise.all([ofCamera(), ...pushes.map(ofPush)]);
  // Oldest first they come; of the same moment the later one stays above.
  return parts
    .flat()
    .map((line, index) => ({ line, index }))
    .sort((left, right) => right.line.at.localeCompare(left.line.at) || right.index - left.index)
    .map(({ line }) => line);
}
