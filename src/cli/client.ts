import type { RecordedEvent } from '../backend/backend.js';
import { CodedError, type ErrorCode, errorCodes, messageOf } from '../errors.js';
import type { CameraView, EngineView, NodeView, ProblemView, PushView } from './views.js';

const requestTimeoutMs = 15_000;

/** What the API refused. The code may be one that this version does not know. */
export class ApiError extends Error {
  readonly apiCode: string;

  constructor(code: string, message: string) {
    super(message);
    this.apiCode = code;
  }
}

interface Page<T> {
  readonly items: readonly T[];
  readonly next?: string | null;
}

/**
 * v1 of a running aggregator.
 * @throws ApiError what the API answered; CodedError API_UNREACHABLE when it did not
 */
export class ApiClient {
  readonly #base: string;

  /** @param base `http://HOST:PORT` */
  constructor(base: string) {
    this.#base = base.replace(/\/+$/, '');
  }

  cameras(): Promise<CameraView[]> {
    return this.#all<CameraView>('/v1/cameras');
  }

  /** @returns also whether it is new; an aggregator that has it with the same settings changes nothing. */
  async addCamera(camera: { name: string; type?: string }): Promise<{ camera: CameraView; created: boolean }> {
    const { status, body } = await this.#request<CameraView>('POST', '/v1/cameras', camera);
    return { camera: body, created: status === 201 };
  }

  async removeCamera(name: string): Promise<void> {
    await this.#request('DELETE', `/v1/cameras/${encodeURIComponent(name)}`);
  }

  pushes(camera: string): Promise<PushView[]> {
    return this.#all<PushView>(`/v1/cameras/${encodeURIComponent(camera)}/pushes`);
  }

  async addPush(
    camera: string,
    push: { url?: string; engine?: string; id?: string },
  ): Promise<{ push: PushView; created: boolean }> {
    const path = `/v1/cameras/${encodeURIComponent(camera)}/pushes`;
    const { status, body } = await this.#request<PushView>('POST', path, push);
    return { push: body, created: status === 201 };
  }

  async removePush(camera: string, id: string): Promise<void> {
    await this.#request('DELETE', `/v1/cameras/${encodeURIComponent(camera)}/pushes/${encodeURIComponent(id)}`);
  }

  /** Has a waiting push try at once. */
  async retryPush(camera: string, id: string): Promise<PushView> {
    const path = `/v1/cameras/${encodeURIComponent(camera)}/pushes/${encodeURIComponent(id)}/retry`;
    return (await this.#request<PushView>('POST', path)).body;
  }

  /** What a push did lately, oldest first. */
  async pushEvents(camera: string, id: string): Promise<readonly RecordedEvent[]> {
    const path = `/v1/cameras/${encodeURIComponent(camera)}/pushes/${encodeURIComponent(id)}/events`;
    return (await this.#request<{ items: RecordedEvent[] }>('GET', path)).body.items;
  }

  engines(): Promise<EngineView[]> {
    return this.#all<EngineView>('/v1/engines');
  }

  async addEngine(engine: {
    name: string;
    host: string;
    pushUrl?: string;
    playbackUrl?: string;
    location?: string;
  }): Promise<{ engine: EngineView; created: boolean }> {
    const { status, body } = await this.#request<EngineView>('POST', '/v1/engines', engine);
    return { engine: body, created: status === 201 };
  }

  async removeEngine(name: string): Promise<void> {
    await this.#request('DELETE', `/v1/engines/${encodeURIComponent(name)}`);
  }

  nodes(): Promise<NodeView[]> {
    return this.#all<NodeView>('/v1/nodes');
  }

  async problems(): Promise<readonly ProblemView[]> {
    const { body } = await this.#request<{ problems?: readonly ProblemView[] }>('GET', '/v1/config');
    return body.problems ?? [];
  }

  async #all<T>(path: string): Promise<T[]> {
    const items: T[] = [];
    let after: string | null | undefined;
    do {
      const query: string = after ? `?after=${encodeURIComponent(after)}` : '';
      const { body } = await this.#request<Page<T>>('GET', path + query);
      items.push(...body.items);
      after = body.next;
    } while (after !== null && after !== undefined);
    return items;
  }

  async #request<T>(method: string, path: string, body?: unknown): Promise<{ status: number; body: T }> {
    const url = this.#base + path;
    let response: Response;
    let text: string;
    try {
      response = await fetch(url, {
        method,
        signal: AbortSignal.timeout(requestTimeoutMs),
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      });
      text = await response.text();
    } catch (error) {
      const message = `${this.#base} does not answer: ${reasonOf(error)}.`;
      throw new CodedError('API_UNREACHABLE', message, { cause: error });
    }
    const answer = parseAnswer<T>(text);
    if (!response.ok) {
      throw refusal(response.status, answer, this.#base);
    }
    if (answer === undefined && response.status !== 204) {
      throw new CodedError(
        'API_UNREACHABLE',
        `${this.#base} answers ${method} ${path} with something other than JSON.`,
      );
    }
    return { status: response.status, body: answer as T };
  }
}

function parseAnswer<T>(text: string): T | undefined {
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
}

/** Problem documents of v1 (RFC 9457); anything else is no aggregator's answer. */
function refusal(status: number, answer: unknown, base: string): Error {
  if (typeof answer === 'object' && answer !== null && 'code' in answer && typeof answer.code === 'string') {
    const detail = 'detail' in answer ? answer.detail : 'title' in answer ? answer.title : '';
    const message = String(detail);
    return isErrorCode(answer.code) ? new CodedError(answer.code, message) : new ApiError(answer.code, message);
  }
  return new CodedError('API_UNREACHABLE', `${base} answers ${status}, but not as an aggregator does.`);
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCodes, code);
}

function reasonOf(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') {
    return `nothing came within ${requestTimeoutMs / 1000} s`;
  }
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  return code === 'ECONNREFUSED' ? 'the connection was refused' : code || messageOf(cause ?? error);
}
