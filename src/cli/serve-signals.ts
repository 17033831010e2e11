/** What a signal asks of a server. */
export interface SignalWishes {
  /** SIGTERM, SIGINT or SIGQUIT: the first asks for an orderly end. */
  readonly stop: (signal: NodeJS.Signals) => void;
  /** Another of them: it is to end at once. */
  readonly stopNow: (signal: NodeJS.Signals) => void;
  /** SIGHUP: the file of the log, settings and whatever else can be read again. */
  readonly readAgain: () => void;
  /** SIGUSR1, as nginx has it: the file of the log alone. */
  readonly reopenLog: () => void;
}

const stopping: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGQUIT'];

/**
 * Decides each signal that would end a server without a goodbye (docs/signals.md). SIGHUP ends nothing: a terminal that
 * is closed, with or without `nohup`, must not take the cameras with it. Without a listener, SIGUSR1 has Node open the
 * port of a debugger. (Node itself undoes what `nohup` set, and ignores SIGPIPE and SIGXFSZ.)
 */
export function onSignals(wishes: SignalWishes): void {
  let isStopping = false;
  for (const signal of stopping) {
    process.on(signal, () => {
      if (isStopping) {
        wishes.stopNow(signal);
        return;
      }
      isStopping = true;
      wishes.stop(signal);
    });
  }
  process.on('SIGHUP', () => wishes.readAgain());
  process.on('SIGUSR1', () => wishes.reopenLog());
  process.on('SIGUSR2', () => {});
}
