import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

/**
 * Durations are measured by the monotonic clock: the wall clock may be set at any time. So each file that reads the wall
 * clock stands here, with what it does with it. A new one belongs here only when it shows or stores a time, or compares
 * with an absolute end; `process/wall-clock.ts` does the rest.
 */
const readers: Readonly<Record<string, string>> = {
  'src/access/access.ts': 'absolute ends of tokens and JWT',
  'src/access/token-store.ts': 'absolute ends of tokens',
  'src/admission/admission.ts': 'absolute ends of keys and play tokens',
  'src/announce/announcer.ts': 'shows the next attempt',
  'src/backend/native/camera.ts': 'shows when a condition began',
  'src/backend/native/snapshot.ts': 'shows the last frame',
  'src/backend/nginx/host-names.ts': 'shows since when a name fails',
  'src/backend/nginx/observer.ts': 'shows when publishers came',
  'src/backend/nginx/snapshot.ts': 'shows the next look-up',
  'src/backend/workers/pool-report.ts': 'shows since when a worker does not answer',
  'src/backend/workers/worker-process.ts': 'shows when a worker ended',
  'src/cli/commands/token.ts': 'absolute end of a token',
  'src/cli/doctor/files.ts': 'absolute ends of certificates',
  'src/cli/doctor/system.ts': 'judges the wall clock itself',
  'src/cli/format.ts': 'shows the age of what another machine may have noted',
  'src/cli/test-patterns.ts': 'shows begin and end',
  'src/control/camera-control.ts': 'absolute ends of keys and play tokens',
  'src/events/event-feed.ts': 'begins the numbers of events behind those before a restart',
  'src/events/flight-recorder.ts': 'notes when something happened',
  'src/files/lock.ts': 'compares with the times of files',
  'src/health/camera-health.ts': 'shows when a condition began',
  'src/ingest/source-ingest.ts': 'notes when a source came',
  'src/log/destination.ts': 'notes when lines were lost',
  'src/log/levels.ts': 'shows when debugging ends',
  'src/log/pino.ts': 'stamps lines',
  'src/process/open-files.ts': 'notes when descriptors were short',
  'src/process/wall-clock.ts': 'the one place that compares the two clocks',
  'src/push/push-life.ts': 'shows the last key frame',
  'src/push/push.ts': 'notes when a phase began, and a failure',
  'src/tls/watch-certificate.ts': 'absolute ends of certificates',
  'src/webhooks/receiver.ts': 'signs the time',
  'web/src/pages/settings/access.tsx': 'absolute end of a token',
  'web/src/state/history.ts': 'compares with times that the server shows',
  'web/src/state/store.ts': 'shows ages',
};

const reading = /\bDate\.now\(\)|\bnew Date\(\)(?!\.toISOString\(\))/;

it('who reads the wall clock has a reason', () => {
  const found = ['src', 'web/src'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.tsx?$/.test(name))
      .map((name) => join(folder, name))
      .filter((path) => reading.test(readFileSync(path, 'utf8'))),
  );
  expect(found.sort()).toEqual(Object.keys(readers).sort());
});

it('no time that was noted by the wall clock is subtracted from it', () => {
  // An absolute end may be: what is left until then.
  const ends = /validTo|expires|Ends?At|endMs|leftMs|Math\.round\(stalledMs\)|performance\.now\(\)|nowMs - |createdAt/i;
  const wrong: string[] = [];
  for (const path of Object.keys(readers)) {
    if (path === 'src/process/wall-clock.ts' || path === 'src/files/lock.ts') continue;
    for (const line of readFileSync(path, 'utf8').split('\n')) {
      const subtracts =
        /Date\.now\(\)(?:\s*\/\s*1000)? - |- Date\.now\(\)|[<>]=? Date\.now\(\)|Date\.now\(\)[^;]* [<>]=? /.test(line);
      if (subtracts && !ends.test(line)) wrong.push(`${path}: ${line.trim()}`);
    }
  }
  // The first is what is left until the certificate counts; times of the server are of another clock anyway.
  expect(wrong).toEqual([
    'src/cli/doctor/files.ts: if (validFrom.getTime() > Date.now()) {',
    'web/src/state/history.ts: const first = before.timesS.findIndex((timeS) => timeS > Date.now() / 1000 - hourSeconds);',
  ]);
});
