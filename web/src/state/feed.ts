import { batch, effect } from '@preact/signals';
import { followEvents, type ServerEvent } from '../api/event-stream.js';
import { signInReason } from '../api/http.js';
import { type Figures, takeFigures } from './figures.js';
import { refreshRefused } from './refused.js';
import { dropCamera, link, loadAll, noteHeard, refreshCamera, refreshEngines, refreshProblems } from './store.js';

/** What is waited before the stream is opened anew. */
const retryMs = 2000;
/** What changes within so short a time is looked at together. */
const gatherMs = 120;
/** From so many changed cameras on, one look at all of them costs less. */
const manyCameras = 20;

/** The server says something every 15 s at least. */
const staleAfterMs = 20_000;
let silence: ReturnType<typeof setTimeout> | undefined;
let lastEventId: string | undefined;
const changedCameras = new Set<string>();
let everythingChanged = false;
/** A look is planned or under way; what changes meanwhile is looked at after it. */
let looking = false;

/** Keeps what is shown up to date, as long as the page is there. */
export function follow(): void {
  void run();
}

async function run(): Promise<void> {
  for (;;) {
    await untilSignedIn();
    try {
      await followEvents('/v1/events?stats=1', lastEventId, takeEvent, hear);
    } catch {
      // Refused, broken off or silent: what it was is seen by the next look.
    }
    if (signInReason.peek() !== null) continue;
    link.value = 'lost';
    await new Promise((resolve) => setTimeout(resolve, retryMs));
  }
}

/** While the server wants a token there is nothing to ask it for. */
function untilSignedIn(): Promise<void> {
  return new Promise((resolve) => {
    const stop = effect(() => {
      if (signInReason.value !== null) return;
      queueMicrotask(() => {
        stop();
        resolve();
      });
    });
  });
}

/** What is shown is as new as this. The connection may be dead long before that is known: silence counts. */
function hear(): void {
  noteHeard();
  clearTimeout(silence);
  silence = setTimeout(() => {
    link.value = 'lost';
  }, staleAfterMs);
  if (link.peek() === 'lost') link.value = 'up';
}

function takeEvent({ type, id, data }: ServerEvent): void {
  if (id !== undefined) lastEventId = id;
  link.value = 'up';
  const event = JSON.parse(data) as { camera?: string } & Figures;
  if (type === 'stats') {
    batch(() => takeFigures(event));
    return;
  }
  // One that is registered now is no stranger any more.
  if (type === 'camera.registered') void refreshRefused().catch(() => undefined);
  if (type === 'reset') everythingChanged = true;
  else if (type === 'camera.removed' && event.camera !== undefined) {
    changedCameras.delete(event.camera);
    dropCamera(event.camera);
  } else if (type.startsWith('engine.')) void refreshEngines().catch(() => undefined);
  else if (type.startsWith('problem.') && event.camera === undefined) void refreshProblems().catch(() => undefined);
  else if (type === 'publisher.refused') void refreshRefused().catch(() => undefined);
  else if (event.camera !== undefined) changedCameras.add(event.camera);
  if (looking) return;
  looking = true;
  setTimeout(() => void lookUntilDone(), type === 'reset' ? 0 : gatherMs);
}

async function lookUntilDone(): Promise<void> {
  while (changedCameras.size > 0 || everythingChanged) {
    const done = await look();
    await new Promise((resolve) => setTimeout(resolve, done ? gatherMs : retryMs));
  }
  looking = false;
}

/** An event says that something changed; what it is now, the server is asked. False: it does not answer. */
async function look(): Promise<boolean> {
  const names = [...changedCameras];
  const all = everythingChanged || names.length > manyCameras;
  changedCameras.clear();
  everythingChanged = false;
  try {
    if (all) await loadAll();
    else await Promise.all(names.map((name) => refreshCamera(name)));
    return true;
  } catch {
    // The same once more, later.
    everythingChanged ||= all;
    for (const name of names) changedCameras.add(name);
    return false;
  }
}
