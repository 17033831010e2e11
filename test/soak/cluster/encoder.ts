import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { endWithThis } from './programs.js';
import { PublishingCamera } from './publishing-camera.js';

/** An encoder whose watchdog sees no picture go out for so long is started anew. */
const stuckMs = 3000;

/** A camera of real ffmpeg, in real time, which is started again whenever it ends. */
export class Encoder extends PublishingCamera {
  #child: ChildProcess | undefined;

  override async stop(): Promise<void> {
    const stopped = super.stop();
    this.#child?.kill('SIGINT');
    const late = setTimeout(() => this.#child?.kill('SIGKILL'), 2000);
    await stopped;
    clearTimeout(late);
  }

  override giveUp(): void {
    this.#child?.kill('SIGKILL');
  }

  protected override async live(url: string): Promise<void> {
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
    clearTimeout(timer);
    this.lastError = said.trim().replaceAll('\n', '; ');
  }
}
