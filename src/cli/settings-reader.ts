import { describeSettings, type LoadedSettings } from '../config/index.js';
import { codeOf, messageOf } from '../errors.js';
import type { LogLevels } from '../log/levels.js';
import type { ProcessLogger } from '../log/pino.js';

/** Settings that are taken while the aggregator runs. */
const taken: ReadonlySet<string> = new Set(['log-level']);

/**
 * What SIGHUP asks for: opens the file of the log anew, and reads the settings again. Those that can be changed while it
 * runs are taken, of the others the log says that they need a restart. Settings that cannot be used change nothing.
 * (Certificates, tokens and lists of trusted certificates are looked at all the time, and need no signal.)
 */
export function settingsReader(options: {
  load: () => LoadedSettings;
  before: LoadedSettings;
  log: ProcessLogger;
  logLevels: LogLevels;
}): () => void {
  const { load, before, log, logLevels } = options;
  const atStart = textsOf(before);
  let level = before.settings.logLevel;
  return () => {
    log.reopen();
    let next: LoadedSettings;
    try {
      next = load();
    } catch (error) {
      log.error('the settings cannot be reloaded; the previous ones stay in force', {
        code: codeOf(error),
        reason: messageOf(error),
      });
      return;
    }
    const from = level;
    level = next.settings.logLevel;
    // What somebody set by the API stays until the settings say something else than before.
    if (level !== from) logLevels.level = level;
    const waiting = [...textsOf(next)].filter(([key, text]) => !taken.has(key) && atStart.get(key) !== text);
    log.info('reloaded the settings', {
      ...(level === from ? {} : { logLevel: level }),
      ...(waiting.length === 0 ? {} : { needRestart: waiting.map(([key]) => key) }),
    });
  };
}

function textsOf({ settings, sources }: LoadedSettings): ReadonlyMap<string, string | null> {
  return new Map(describeSettings(settings, sources).map(({ key, value }) => [key, value]));
}
