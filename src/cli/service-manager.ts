import { spawn } from 'node:child_process';
import type { Logger } from '../log/log.js';
import type { CliIo } from './io.js';

/** What a service manager is told: assignments of sd_notify(3). */
type Assignment = `${'READY=1' | 'STOPPING=1' | 'WATCHDOG=1' | `STATUS=${string}`}`;

/** A watchdog is answered twice in its time. */
const watchdogShare = 2;

/**
 * Tells systemd how the service fares, where it wants to know (NOTIFY_SOCKET). Node has no datagram sockets of the Unix
 * domain, so that systemd's own `systemd-notify` says it; the unit needs NotifyAccess=all for that.
 */
export class ServiceManager {
  readonly #env: CliIo['env'];
  readonly #log: Logger;
  readonly #isWanted: boolean;
  #watchdog: NodeJS.Timeout | undefined;
  #hasFailed = false;

  constructor(env: CliIo['env'], log: Logger) {
    this.#env = env;
    this.#log = log;
    this.#isWanted = (env.NOTIFY_SOCKET ?? '') !== '';
  }

  /** The service serves. From now on the watchdog, if there is one, is answered while the event loop turns. */
  ready(status: string): void {
    this.#tell('READY=1', `STATUS=${status.replaceAll('\n', ' ')}`);
    const watchdogUs = Number(this.#env.WATCHDOG_USEC);
    const isOurs = this.#env.WATCHDOG_PID === undefined || Number(this.#env.WATCHDOG_PID) === process.pid;
    if (!this.#isWanted || !isOurs || !(watchdogUs >= 1000)) return;
    this.#watchdog = setInterval(() => this.#tell('WATCHDOG=1'), watchdogUs / 1000 / watchdogShare).unref();
  }

  stopping(): void {
    clearInterval(this.#watchdog);
    this.#tell('STOPPING=1');
  }

  #tell(...assignments: Assignment[]): void {
    if (!this.#isWanted) return;
    const child = spawn('systemd-notify', [`--pid=${process.pid}`, ...assignments], {
      stdio: 'ignore',
      env: { ...process.env, ...this.#env },
    });
    child.once('error', (error) => this.#fail(error.message));
    child.once('exit', (code) => {
      if (code !== 0) this.#fail(`exit code ${code}`);
    });
    child.unref();
  }

  #fail(reason: string): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#log.warn('systemd cannot be told the state of the service', { reason, program: 'systemd-notify' });
  }
}
