import { differingNames } from '../layered-map.js';
import type { Camera, DesiredState, StreamingEngine } from '../model.js';

/*
 * Cameras and engines are never mutated, so the text of each is made once, and a commit joins ready pieces: at 10,000
 * cameras JSON.stringify of the whole state would take longer than the disk.
 */
const cameraTexts = new WeakMap<Camera, string>();
const engineTexts = new WeakMap<StreamingEngine, string>();

/** The whole file: what `JSON.stringify(value, null, 2)` gives, version first, all other keys sorted, a line end. */
export function encodeState(state: DesiredState): string {
  return new StateEncoder().encode(state);
}

/** Encodes one state after the other, and works only on what changed from one to the next. */
export class StateEncoder {
  readonly #cameras = new SectionText(cameraText);
  readonly #engines = new SectionText(engineText);

  encode(state: DesiredState): string {
    const cameras = this.#cameras.encode(state.cameras);
    const engines = this.#engines.encode(state.engines);
    return `{\n  "version": 1,\n  "cameras": ${cameras},\n  "engines": ${engines}\n}\n`;
  }
}

/** With more changes than this, sorting anew is quicker than inserting each. */
const maxInsertions = 500;

/** The entries of one section, sorted, with their text. */
class SectionText<T> {
  readonly #textOf: (value: T) => string;
  #map: ReadonlyMap<string, T> = new Map();
  #names: string[] = [];
  #lines: string[] = [];

  constructor(textOf: (value: T) => string) {
    this.#textOf = textOf;
  }

  encode(map: ReadonlyMap<string, T>): string {
    const names = differingNames(this.#map, map);
    if (names.size > maxInsertions) {
      this.#names = [...map.keys()].sort();
      this.#lines = this.#names.map((name) => this.#line(name, map));
    } else {
      for (const name of names) this.#update(name, map);
    }
    this.#map = map;
    return this.#lines.length === 0 ? '{}' : `{\n${this.#lines.join(',\n')}\n  }`;
  }

  #update(name: string, map: ReadonlyMap<string, T>): void {
    const at = this.#firstNotBefore(name);
    const known = this.#names[at] === name ? 1 : 0;
    if (map.has(name)) {
      this.#names.splice(at, known, name);
      this.#lines.splice(at, known, this.#line(name, map));
    } else {
      this.#names.splice(at, known);
      this.#lines.splice(at, known);
    }
  }

  #line(name: string, map: ReadonlyMap<string, T>): string {
    // Through a buffer: a string that was put together is a tree of its parts, and each join would walk all trees again.
    return Buffer.from(`    "${name}": ${this.#textOf(map.get(name)!)}`).toString();
  }

  #firstNotBefore(name: string): number {
    let low = 0;
    let high = this.#names.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#names[middle]! < name) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** A camera as it stands in the file, indented for its place. */
export function cameraText(camera: Camera): string {
  let text = cameraTexts.get(camera);
  if (text === undefined) {
    const pushes: [string, object][] = Object.keys(camera.pushes)
      .sort()
      .map((id) => {
        const { createdAt, enabled, engine, queueMaxAgeMs, queueMaxBytes, url } = camera.pushes[id]!;
        return [id, { createdAt, enabled, engine, queueMaxAgeMs, queueMaxBytes, url }];
      });
    const { createdAt, type } = camera;
    text = indented({ createdAt, pushes: Object.fromEntries(pushes), type });
    cameraTexts.set(camera, text);
  }
  return text;
}

/** An engine as it stands in the file, indented for its place. */
export function engineText(engine: StreamingEngine): string {
  let text = engineTexts.get(engine);
  if (text === undefined) {
    const { createdAt, host, location, playbackUrl, pushUrl } = engine;
    text = indented({ createdAt, host, location, playbackUrl, pushUrl });
    engineTexts.set(engine, text);
  }
  return text;
}

function indented(value: object): string {
  return JSON.stringify(value, null, 2).replaceAll('\n', '\n    ');
}
