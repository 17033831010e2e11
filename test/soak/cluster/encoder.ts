import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PublishingCamera } from './camera.js';
import { endWithThis } from './programs.js';

const retryMs = 250;
/** An encoder whose watchdog sees no picture go out for so long is started anew. */
const stuckMs = 3000;

/** A camera of real ffmpeg, in real time, started again at the next address whenever it ends, as encoders in the field are. */
export class Encoder implements PublishingCamera {
  readonly name: string;
  readonly #urls: readonly string[];
  #wanted = true;
  #done: Promise<void> | undefined;
  #child: ChildProcess | undefined;
  lastError = '';
  connects = 0;
  isIn = false;

  /** @param urls where it may publish to, the first one first */
  constructor(name: string, urls: readonly string[]) {
    this.name = name;
    this.#urls = urls;
  }

  start(): void {
    this.#wanted = true;
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.#wanted = false;
    this.#child?.kill('SIGINT');
    const late = setTimeout(() => this.#child?.kill('SIGKILL'), 2000);
    await this.#done;
    clearTimeout(late);
  }

  giveUp(): void {
    this.#child?.kill('SIGKILL');
  }

  async #run(): Promise<void> {
    for (let tries = 0; this.#wanted; tries++) {
      await this.#live(this.#urls[tries % this.#urls.length]!);
      if (this.#wanted) await sleep(retryMs);
    }
  }

  async #live(url: string): Promise<void> {
    const child = spawn(
      'ffmpeg',
      [
        ...['-hide_banner', '-nostats', '-loglevel', 'error', '-progress', 'pipe:1', '-stats_period', '0.5', '-re'],
        ...['-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=25', '-f', 'lavfi', '-i', 'sine=frequency=440'],
        ...['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-pix_fmt', 'yuv420p', '-g', '25'],
        ...['-b:v', '400k', '-c:a', 'aac', '-b:a', '64k', '-f', 'flv', url],
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    endWithThis(child);
    this.#child = child;
    let timer = setTimeout(() => child.kill('SIGKILL'), 3 * stuckMs);
    child.stdout.on('data', (progress: Buffer) => {
      // It has sent pictures, and so it was let in.
      if (!this.isIn && /^frame=[1-9]/m.test(progress.toString())) {
        this.connects++;
        this.isIn = true;
      }
      clearTimeout(timer);
      timer = setTimeout(() => child.kill('SIGKILL'), stuckMs);
    });
    let said = '';
    child.stderr.on('data', (text: Buffer) => {
      said = (said + text.toString()).slice(-300);
    });
    await once(child, 'exit');
    this.isIn = false;
    clearTimeout(timer);
    this.lastError = said.trim().replaceAll('\n', '; ');
  }
}
