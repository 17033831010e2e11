import { maskUrl } from '../address/rtmp-url.js';
import { isName } from '../model/rules.js';
import type { Directive } from '../nginx-conf/parser.js';
import { type DirectiveFate, fateOf, restrictsAccess } from './nginx-directives.js';
import { pushTargetOf } from './push-target.js';

/**
 * `taken`: it becomes a camera or a push. `covered`: the aggregator does so by itself. `left-out`: it is lost.
 * `foreign`: it is not about RTMP.
 */
export type Outcome = 'taken' | 'covered' | 'left-out' | 'foreign';

/** What became of one directive. */
export interface PlanLine {
  readonly file: string;
  readonly line: number;
  /** As it stands there, shortened; secrets of URLs masked. */
  readonly directive: string;
  readonly outcome: Outcome;
  readonly reason: string;
}

export interface PlannedPush {
  readonly url: string;
  readonly line: PlanLine;
}

export interface PlannedCamera {
  readonly name: string;
  readonly pushes: readonly PlannedPush[];
  readonly line: PlanLine;
}

/** What an import would make, and what became of every directive, in the order of the configuration. */
export interface ImportPlan {
  readonly cameras: readonly PlannedCamera[];
  readonly lines: readonly PlanLine[];
}

export interface PlanOptions {
  /** Applications that are taken for cameras although their name says that they take many streams. */
  readonly take?: readonly string[];
  /** Take applications whose rules of access would be lost. */
  readonly dropAccessRules?: boolean;
}

/**
 * Names of applications that take streams of many names. `application live { live on; }` looks like a camera that was
 * registered without a push, and is one hardly ever.
 */
const sharedNames: ReadonlySet<string> = new Set(
  'live relay stream streams streaming hls dash vod vod2 rtmp publish ingest input in app show myapp mytv encoder src'.split(
    ' ',
  ),
);

/** Plans what an nginx configuration with the RTMP module becomes. Pure, and never throws. */
export function planImport(directives: readonly Directive[], options: PlanOptions = {}): ImportPlan {
  const planner = new Planner(options);
  planner.main(directives);
  return { cameras: planner.cameras, lines: planner.lines };
}

/** What the blocks around an application say about access. */
interface Scope {
  readonly restrictions: readonly Directive[];
}

class Planner {
  readonly cameras: PlannedCamera[] = [];
  readonly lines: PlanLine[] = [];
  readonly #options: PlanOptions;
  /** By name: where the application that was taken, or refused, stands. */
  readonly #seen = new Map<string, Directive>();

  constructor(options: PlanOptions) {
    this.#options = options;
  }

  main(directives: readonly Directive[]): void {
    for (const directive of directives) {
      if (directive.name === 'rtmp' && directive.block !== undefined) {
        this.#note(directive, 'covered', 'the block of the RTMP module');
        this.#rtmp(directive.block);
      } else if (directive.name.startsWith('rtmp_')) {
        this.#other(directive);
      } else {
        this.#note(directive, 'foreign', 'it is not about RTMP');
        if (directive.name === 'http') this.#findStatistics(directive.block ?? []);
      }
    }
  }

  #rtmp(block: readonly Directive[]): void {
    const restrictions = block.filter(({ name }) => restrictsAccess(name));
    for (const directive of block) {
      if (directive.name === 'server' && directive.block !== undefined) {
        this.#note(directive, 'covered', 'one aggregator stands for all servers');
        this.#server(directive.block, { restrictions });
      } else {
        this.#other(directive);
      }
    }
  }

  #server(block: readonly Directive[], outer: Scope): void {
    const restrictions = [...outer.restrictions, ...block.filter(({ name }) => restrictsAccess(name))];
    for (const directive of block) {
      if (directive.name === 'application' && directive.block !== undefined) {
        this.#application(directive, directive.block, { restrictions });
      } else if (directive.name === 'listen') {
        this.#listen(directive);
      } else {
        this.#other(directive);
      }
    }
  }

  #listen(directive: Directive): void {
    const [address = '', ...options] = directive.args;
    const port = /^(?:.*:)?(\d+)$/.exec(address)?.[1] ?? (address.startsWith('unix:') ? undefined : '1935');
    if (port === undefined) {
      this.#note(directive, 'left-out', 'the aggregator listens on TCP ports only');
    } else if (options.includes('proxy_protocol')) {
      this.#note(directive, 'left-out', 'the proxy protocol is not understood');
    } else if (port === '1935') {
      this.#note(directive, 'covered', 'the aggregator listens on 1935 too, if --rtmp-port says no other');
    } else {
      this.#note(
        directive,
        'left-out',
        `the aggregator has one RTMP port; for this one start it with --rtmp-port ${port}`,
      );
    }
  }

  #application(directive: Directive, block: readonly Directive[], outer: Scope): void {
    const name = directive.args[0] ?? '';
    const refusal = this.#refusalOf(directive, name, block, outer);
    if (refusal !== undefined) {
      this.#note(directive, 'left-out', refusal);
      for (const inner of block) this.#refused(inner, name);
      return;
    }
    this.#seen.set(name, directive);
    const pushes = new Map<string, PlannedPush>();
    const line = this.#note(directive, 'taken', `camera ${name}; it publishes the stream ${name}, and no other`);
    for (const inner of block) {
      if (inner.name === 'push' && inner.block === undefined) this.#push(inner, name, pushes);
      else if (inner.name === 'live') this.#note(inner, 'covered', 'every camera is live');
      else this.#other(inner);
    }
    this.cameras.push({ name, pushes: [...pushes.values()], line });
  }

  /** Why an application is no camera; undefined when it is one. */
  #refusalOf(directive: Directive, name: string, block: readonly Directive[], outer: Scope): string | undefined {
    const { take = [], dropAccessRules = false } = this.#options;
    if (directive.args.length !== 1 || !isName(name)) {
      return 'its name breaks the rule for cameras: 1 to 64 letters, digits, ".", "_" and "-", beginning with a letter or digit';
    }
    const first = this.#seen.get(name);
    if (first !== undefined) {
      return `the application ${name} of ${first.file}:${first.line} was taken already, and camera names are unique`;
    }
    const live = block.findLast((each) => each.name === 'live');
    if (live?.args[0]?.toLowerCase() !== 'on') {
      return 'it is not "live on", so no camera publishes to it';
    }
    const isForced = take.includes(name);
    const player = block.find((each) => each.name === 'play' || each.name === 'pull');
    if (player !== undefined && !isForced) {
      return `its streams come from a "${player.name}" (line ${player.line}), not from a camera`;
    }
    if (sharedNames.has(name.toLowerCase()) && !isForced) {
      return `by its name it takes streams of many names, and a camera has one; if it is a camera, say --take ${name}`;
    }
    const isServing = block.some((each) => /^(?:hls|dash)$/.test(each.name) && each.args[0]?.toLowerCase() === 'on');
    if (isServing && !isForced && !block.some((each) => each.name === 'push')) {
      return `it makes HLS or DASH and pushes nothing, as a streaming engine does; if it is a camera, say --take ${name}`;
    }
    const rule = [...outer.restrictions, ...block.filter((each) => restrictsAccess(each.name))][0];
    if (rule !== undefined && !dropAccessRules) {
      return `"${rule.name}" (${rule.file}:${rule.line}) says who may publish or play, which would be lost; to take it without, say --drop-access-rules`;
    }
    return undefined;
  }

  /** A directive of an application that is not taken. */
  #refused(directive: Directive, application: string): void {
    this.#note(directive, 'left-out', `the application ${application} was not taken`);
  }

  #push(directive: Directive, camera: string, pushes: Map<string, PlannedPush>): void {
    const target = pushTargetOf(directive.args, camera);
    if (target.url === undefined) {
      this.#note(directive, 'left-out', target.problem);
      return;
    }
    const same = pushes.get(target.url)?.line;
    if (same !== undefined) {
      this.#note(directive, 'covered', `the same target as that of ${same.file}:${same.line}`);
      return;
    }
    const reason = [`push of camera ${camera} to ${maskUrl(target.url)}`, ...target.notes].join('; ');
    pushes.set(target.url, { url: target.url, line: this.#note(directive, 'taken', reason) });
  }

  /** A directive of the module that makes neither a camera nor a push. */
  #other(directive: Directive): void {
    const fate: DirectiveFate = fateOf(directive.name, directive.args) ?? {
      outcome: 'left-out',
      reason: 'the RTMP module of nginx 1.2.2 has no such directive here',
    };
    this.#note(directive, fate.outcome, fate.reason);
    for (const inner of directive.block ?? []) this.#other(inner);
  }

  /** In the http block only the module's own directives are of interest. */
  #findStatistics(block: readonly Directive[]): void {
    const waiting = [...block].reverse();
    for (let directive = waiting.pop(); directive !== undefined; directive = waiting.pop()) {
      if (directive.name.startsWith('rtmp_')) this.#other(directive);
      for (const inner of [...(directive.block ?? [])].reverse()) waiting.push(inner);
    }
  }

  #note(directive: Directive, outcome: Outcome, reason: string): PlanLine {
    const { file, line } = directive;
    const noted = { file, line, directive: textOf(directive), outcome, reason };
    this.lines.push(noted);
    return noted;
  }
}

const maxTextChars = 120;

/** The directive as it may be shown: not too long, and with user info and queries of URLs masked. */
function textOf({ name, args, block }: Directive): string {
  const words = [name, ...args].map((word) => (/[?@]|:\/\//.test(word) ? maskUrl(word) : word));
  const text = words.join(' ');
  const short = text.length > maxTextChars ? `${text.slice(0, maxTextChars - 1)}…` : text;
  return block === undefined ? short : `${short} {`;
}
