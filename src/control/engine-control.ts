import {
  addEngine,
  changeEngineSteps,
  declareEngineSteps,
  type EarlierTry,
  type EngineChange,
  type EngineInput,
  removeEngine,
} from '../model/engines.js';
import { getEngine } from '../model/find-engine.js';
import type { DesiredState, StreamingEngine } from '../model/model.js';
import { allOf } from '../model/steps.js';
import { exampleCamera, resolvePushUrl } from '../model/template.js';
import type { Added, ControlContext } from './context.js';
import { enginePushesSteps } from './engine-pushes.js';
import type { Precondition } from './entity-tags.js';
import { collectPage, type Page, type PageRequest, type PageSteps, pageSteps } from './paging.js';
import { type EngineView, engineView } from './views.js';

/**
 * The streaming engines. What changes one of them takes a precondition: ConflictError PRECONDITION_FAILED when it does
 * not hold.
 */
export class EngineControl {
  readonly #context: ControlContext;

  constructor(context: ControlContext) {
    this.#context = context;
  }

  /** @throws InputError INVALID_NAME, INVALID_ADDRESS or TARGET_UNSUPPORTED, ConflictError ENGINE_CONFLICT or LIMIT_REACHED */
  async add(input: EngineInput): Promise<Added<StreamingEngine>> {
    const { settings, log } = this.#context;
    const { state, created } = await this.#context.add('engines', input.name, (before, now) =>
      this.#supported(before, addEngine(before, input, now, settings.maxEngines), input.name),
    );
    if (created) log.info('registered a streaming engine', { engine: input.name, host: input.host });
    return { created, view: this.#view(getEngine(state, input.name)) };
  }

  /** @throws InputError INVALID_NAME, INVALID_ADDRESS or TARGET_UNSUPPORTED, ConflictError ENGINE_CONFLICT or LIMIT_REACHED */
  async declare(input: EngineInput, precondition?: Precondition): Promise<Added<StreamingEngine>> {
    const { settings, log, tags } = this.#context;
    const earlier: EarlierTry = {};
    const { state, created } = await this.#context.addInSteps('engines', input.name, (before, now) => {
      tags.check(before.engines.get(input.name), precondition);
      const steps = declareEngineSteps(before, input, now, settings.maxEngines, earlier);
      return this.#supportedSteps(before, steps, input.name);
    });
    log.info('declared a streaming engine', { engine: input.name, host: input.host });
    return { created, view: this.#view(getEngine(state, input.name)) };
  }

  /** @throws NotFoundError ENGINE_NOT_FOUND; else as `declare` */
  async change(name: string, change: EngineChange, precondition?: Precondition): Promise<StreamingEngine> {
    const { log, tags } = this.#context;
    const earlier: EarlierTry = {};
    const state = await this.#context.commitInSteps((before) => {
      tags.check(getEngine(before, name), precondition);
      return this.#supportedSteps(before, changeEngineSteps(before, name, change, earlier), name);
    });
    await this.#context.reconciler.engineInForce(name);
    log.info('changed a streaming engine', { engine: name });
    return this.#view(getEngine(state, name));
  }

  /** @throws NotFoundError ENGINE_NOT_FOUND, ConflictError ENGINE_IN_USE */
  async remove(name: string, precondition?: Precondition): Promise<void> {
    const { log, tags } = this.#context;
    await this.#context.commit((state) => {
      tags.check(getEngine(state, name), precondition);
      return removeEngine(state, name);
    });
    log.info('removed a streaming engine', { engine: name });
  }

  /** @throws NotFoundError ENGINE_NOT_FOUND */
  get(name: string): EngineView {
    const engine = getEngine(this.#context.store.state, name);
    return this.#context.tags.note(
      { ...engineView(engine), pushes: allOf(enginePushesSteps(name, this.#context)) },
      engine,
    );
  }

  /** How many pushes go to an engine, which is what `get` costs. */
  pushCount(name: string): number {
    return this.#context.reconciler.loadOf(name);
  }

  /** @throws InputError INVALID_REQUEST */
  list(request: PageRequest): Page<EngineView> {
    return collectPage(this.listSteps(request));
  }

  /** `list` in steps. @throws InputError INVALID_REQUEST at the first one */
  *listSteps(request: PageRequest): PageSteps<EngineView> {
    const steps = pageSteps(this.#context.store.state.engines, request, (engine) => engine);
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
      const engine = step.value;
      if (engine === null) yield null;
      else {
        const pushes = yield* enginePushesSteps(engine.name, this.#context);
        yield this.#context.tags.note({ ...engineView(engine), pushes }, engine);
      }
    }
  }

  #supported(before: DesiredState, after: DesiredState, name: string): DesiredState {
    // What is not changed stays, as does an edit by hand.
    if (after !== before) {
      this.#context.checkSupported(resolvePushUrl(getEngine(after, name), exampleCamera), 'pushUrl');
    }
    return after;
  }

  *#supportedSteps(before: DesiredState, steps: Generator<unknown, DesiredState>, name: string) {
    return this.#supported(before, yield* steps, name);
  }

  #view(engine: StreamingEngine): StreamingEngine {
    return this.#context.tags.note(engineView(engine), engine);
  }
}
