import type { PushPolicy } from '../../address/push-policy.js';
import { CodedError, messageOf } from '../../errors.js';
import { writeWhole } from '../../files/write.js';
import type { Logger } from '../../log/log.js';
import type { DesiredCamera } from '../backend.js';
import type { NginxBinary } from './binary.js';
import { checkConfiguration, type Verdict } from './check.js';
import { keepAside, markOf, type NginxPaths, readFound } from './files.js';
import type { HostNames } from './host-names.js';
import { framePart, type Merged, mergeParts } from './parts.js';
import type { Problems } from './problems.js';
import { forbidden, targetOf } from './push-target.js';
import type { Requirements } from './structure.js';
import type { Template, TemplateCamera, TemplateFacts } from './template.js';

/** A configuration that was checked, with the pushes that are in it. */
export interface Accepted {
  readonly text: string;
  /** By camera: the ids of the pushes that nginx makes. */
  readonly pushes: ReadonlyMap<string, ReadonlySet<string>>;
}

export interface ConfigurationOptions {
  readonly paths: NginxPaths;
  /** null: nobody checks; somebody else runs nginx. */
  readonly binary: NginxBinary | null;
  readonly template: Template;
  readonly facts: Omit<TemplateFacts, 'cameras'>;
  readonly required: Requirements;
  readonly hosts: HostNames;
  readonly policy: PushPolicy;
  readonly problems: Problems;
  readonly log: Logger;
}

interface Judged {
  readonly pushes: Accepted['pushes'];
  /** undefined when the rendering has no place in the file. */
  readonly merged: Merged | undefined;
  readonly verdict: Verdict;
}

/** How often a host that only nginx could not resolve is taken out before the rest is given up. */
const maxUnresolved = 20;
const maxTries = 5;

/** Keeps nginx.conf: renders it, respects edits by hand, checks, writes. */
export class Configuration {
  readonly #options: ConfigurationOptions;
  /** The content of the active file; undefined before the first. */
  #active: string | undefined;
  #activePushes: Accepted['pushes'] = new Map();
  /** What nginx.conf was left as; another mark is another's edit. */
  #ownMark: string | undefined;
  #edits = '';

  constructor(options: ConfigurationOptions) {
    this.#options = options;
  }

  /** Reads what an earlier life left. */
  async open(): Promise<void> {
    this.#active = (await readFound(this.#options.paths.active))?.text;
  }

  /** True when nginx.conf is not what it was left as. */
  async isTouched(): Promise<boolean> {
    return (await markOf(this.#options.paths.conf)) !== this.#ownMark;
  }

  /**
   * Renders the cameras into nginx.conf and makes it the active file, if nginx takes it. An edit that nginx does not
   * take is left where it is and reported; cameras go into the last good configuration then.
   * @returns what nginx is to run with; undefined when there is nothing good
   * @throws CodedError NGINX_WRITE_FAILED or NGINX_TEMPLATE; the files are then as before
   */
  async update(cameras: readonly DesiredCamera[]): Promise<Accepted | undefined> {
    for (let attempt = 1; ; attempt++) {
      const found = await this.#attempt(cameras, attempt >= maxTries);
      if (found !== 'edited meanwhile') return found;
    }
  }

  async #attempt(cameras: readonly DesiredCamera[], last: boolean): Promise<Accepted | 'edited meanwhile' | undefined> {
    const { paths, problems, log } = this.#options;
    const file = await this.#writing(() => readFound(paths.conf));
    const { pushes, merged, verdict } = await this.#judge(cameras, file?.text);
    if (merged !== undefined && verdict.good) {
      if (file?.text !== merged.text) {
        // An editor may have saved since it was read.
        if (!last && (await markOf(paths.conf)) !== (file?.mark ?? '')) return 'edited meanwhile';
        await this.#writing(async () => {
          if (merged.lost.length > 0) {
            const kept = await keepAside(paths.conf);
            log.warn('parts of nginx.conf that were edited by hand were replaced; a copy is kept', {
              parts: merged.lost.map(partName),
              copy: kept,
            });
          }
          await writeWhole(paths.conf, merged.text);
        });
      }
      this.#ownMark = await markOf(paths.conf);
      this.#tellEdits(merged);
      problems.clear('edit');
      return this.#activate({ text: merged.text, pushes });
    }
    problems.set(
      'edit',
      'NGINX_CONFIG_REFUSED',
      `nginx.conf is refused, the configuration before it stays in force: ${verdict.good ? '' : verdict.reason}`,
    );
    this.#ownMark = file?.mark;
    // Without the refused edit: the rendering into the last good configuration.
    const fallback = await this.#judge(cameras, this.#active);
    if (fallback.merged !== undefined && fallback.verdict.good) {
      return this.#activate({ text: fallback.merged.text, pushes: fallback.pushes });
    }
    return this.#active === undefined ? undefined : { text: this.#active, pushes: this.#activePushes };
  }

  /** Renders into a file and has the result checked; leaves out pushes whose hosts turn out not to resolve. */
  async #judge(cameras: readonly DesiredCamera[], present: string | undefined): Promise<Judged> {
    for (let unresolved = 0; ; unresolved++) {
      const { text, pushes } = this.#render(cameras);
      const merged = mergeParts(present, text);
      if ('unplaceable' in merged) {
        // What nginx says of it leads nearer to the slip, if it says anything.
        const verdict = present?.trim() ? await this.#check(present) : undefined;
        const bad = { good: false, reason: merged.unplaceable, unresolved: undefined } as const;
        return { pushes, merged: undefined, verdict: verdict?.good === false ? verdict : bad };
      }
      const verdict = await this.#check(merged.text);
      const isNews =
        !verdict.good && verdict.unresolved !== undefined && this.#options.hosts.resolves(verdict.unresolved);
      if (!isNews || unresolved >= maxUnresolved) return { pushes, merged, verdict };
      this.#options.hosts.fail(verdict.unresolved);
    }
  }

  async #check(text: string): Promise<Verdict> {
    const { binary, paths, required } = this.#options;
    if (binary === null || text === this.#active) return { good: true };
    return this.#writing(() => checkConfiguration(text, { binary, paths, required }));
  }

  async #activate(accepted: Accepted): Promise<Accepted> {
    const { paths, binary } = this.#options;
    const { text } = accepted;
    if (binary !== null && text !== this.#active) await this.#writing(() => writeWhole(paths.active, text));
    this.#active = text;
    this.#activePushes = accepted.pushes;
    return accepted;
  }

  #render(cameras: readonly DesiredCamera[]): Accepted {
    const { template, facts, hosts, policy } = this.#options;
    const pushes = new Map<string, Set<string>>();
    const shown: TemplateCamera[] = cameras.map((camera) => {
      const ids = new Set<string>();
      const targets: { parameters: readonly string[] }[] = [];
      for (const push of camera.pushes) {
        const target = push.enabled ? targetOf(push) : undefined;
        if (target === undefined || 'code' in target) continue;
        if (target.host !== null && !hosts.resolves(target.host)) continue;
        if (forbidden(target, policy, hosts) !== undefined) continue;
        ids.add(push.id);
        targets.push({ parameters: target.parameters });
      }
      pushes.set(camera.name, ids);
      return { name: camera.name, pushes: targets };
    });
    return { text: template.render({ ...facts, cameras: shown }), pushes };
  }

  #tellEdits(merged: Merged): void {
    const edits = merged.kept.map(partName).join(', ');
    if (edits === this.#edits) return;
    this.#edits = edits;
    if (edits !== '') this.#options.log.info('nginx.conf was edited by hand; the edits are kept', { parts: edits });
  }

  async #writing<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof CodedError) throw error;
      const message = `nginx.conf cannot be written; the previous configuration stays in force: ${messageOf(error)}`;
      throw new CodedError('NGINX_WRITE_FAILED', message, { cause: error });
    }
  }
}

function partName(name: string): string {
  return name === framePart ? 'the frame' : `camera ${name}`;
}
