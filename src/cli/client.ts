import {
  type Answer,
  ApiProblem,
  Client,
  type ClientOptions,
  type Config,
  type Input,
  NoAnswer,
} from '../client/index.js';
import { CodedError, type ErrorCode, errorCodes, messageOf } from '../errors.js';
import type {
  BatchResultView,
  CameraView,
  ClusterView,
  DebuggedCameraView,
  DevicePictureView,
  EngineView,
  LogLinesView,
  LogView,
  MadeTokenView,
  NodeView,
  PlayTokenView,
  ProblemView,
  PushView,
  RecordedEventView,
  RefusedPublisherView,
  ScanView,
  TargetTestView,
  TokenView,
} from './views.js';

const requestTimeoutMs = 15_000;

/** What the API refused. The code may be one that this version does not know. */
export class ApiError extends Error {
  readonly apiCode: string;

  constructor(code: string, message: string) {
    super(message);
    this.apiCode = code;
  }
}

/**
 * v1 of a running aggregator, in the words of the commands.
 * @throws ApiError or CodedError what the API answered; CodedError API_UNREACHABLE when it did not
 */
export class ApiClient {
  readonly #client: Client;

  constructor(options: ClientOptions) {
    this.#client = new Client({ timeoutMs: requestTimeoutMs, ...options });
  }

  cameras(): Promise<CameraView[]> {
    return said(() => all(this.#client.each('listCameras', {})));
  }

  /** Many changes in one call. */
  async batch(batch: Input<'batchChange'>['body']): Promise<BatchResultView> {
    return (await said(() => this.#client.call('batchChange', { body: batch }))).body;
  }

  /** @returns also whether it is new; an aggregator that has it with the same settings changes nothing. */
  async addCamera(camera: Input<'addCamera'>['body']): Promise<{ camera: CameraView; created: boolean }> {
    const { status, body } = await said(() => this.#client.call('addCamera', { body: camera }));
    return { camera: body, created: status === 201 };
  }

  /** Looks for ONVIF cameras. */
  async scanNetwork(scan: Input<'scanNetwork'>['body']): Promise<ScanView> {
    return (await said(() => this.#client.call('scanNetwork', { body: scan }))).body;
  }

  async devicePicture(wanted: Input<'takeDevicePicture'>['body']): Promise<DevicePictureView> {
    return (await said(() => this.#client.call('takeDevicePicture', { body: wanted }))).body;
  }

  /** Registers a camera of the network. @returns also whether it is new */
  async addDevice(device: Input<'addDevice'>['body']): Promise<{ camera: CameraView; created: boolean }> {
    const { status, body } = await said(() => this.#client.call('addDevice', { body: device }));
    return { camera: body, created: status === 201 };
  }

  async removeCamera(name: string): Promise<void> {
    await said(() => this.#client.call('removeCamera', { path: { name } }));
  }

  async camera(name: string): Promise<CameraView> {
    return (await said(() => this.#client.call('getCamera', { path: { name } }))).body;
  }

  /** Gives a camera another publish key. */
  async rotateKey(name: string, rotation: Input<'rotateKeys'>['body']): Promise<CameraView> {
    return (await said(() => this.#client.call('rotateKeys', { path: { name }, body: rotation }))).body;
  }

  async changeCamera(name: string, change: Input<'changeCamera'>['body']): Promise<CameraView> {
    return (await said(() => this.#client.call('changeCamera', { path: { name }, body: change }))).body;
  }

  /** Has a camera's stream go on with another of its ingests. @param ingest undefined: the next that is ready */
  async switchIngest(name: string, ingest: string | undefined): Promise<CameraView> {
    const body = ingest === undefined ? {} : { ingest };
    return (await said(() => this.#client.call('switchIngest', { path: { name }, body }))).body;
  }

  async playToken(name: string, seconds: number): Promise<PlayTokenView> {
    return (await said(() => this.#client.call('addPlayToken', { path: { name }, body: { seconds } }))).body;
  }

  /** Who was refused as a publisher, newest first. */
  async refusedPublishers(): Promise<readonly RefusedPublisherView[]> {
    return (await said(() => this.#client.call('listRefusedPublishers'))).body.items;
  }

  /** Those that are in trouble themselves, or that have a push that is down. @param node of one node alone */
  troubledCameras(node?: 'self'): Promise<CameraView[]> {
    const own = node === undefined ? {} : { node };
    return said(() => all(this.#client.each('listCameras', { query: { trouble: true, limit: 1000, ...own } })));
  }

  pushes(camera: string): Promise<PushView[]> {
    return said(() => all(this.#client.each('listPushes', { path: { name: camera } })));
  }

  async addPush(camera: string, push: Input<'addPush'>['body']): Promise<{ push: PushView; created: boolean }> {
    const { status, body } = await said(() => this.#client.call('addPush', { path: { name: camera }, body: push }));
    return { push: body, created: status === 201 };
  }

  async removePush(camera: string, id: string): Promise<void> {
    await said(() => this.#client.call('removePush', { path: { name: camera, id } }));
  }

  /** Has a waiting push try at once. */
  async retryPush(camera: string, id: string): Promise<PushView> {
    return (await said(() => this.#client.call('retryPush', { path: { name: camera, id } }))).body;
  }

  /** Has the aggregator go the way to a target, as its pushes would. */
  async testTarget(url: string): Promise<TargetTestView> {
    return (await said(() => this.#client.call('testTarget', { body: { url } }))).body;
  }

  /** What a push did lately, oldest first. */
  async pushEvents(camera: string, id: string): Promise<readonly RecordedEventView[]> {
    return (await said(() => this.#client.call('listPushEvents', { path: { name: camera, id } }))).body.items;
  }

  engines(): Promise<EngineView[]> {
    return said(() => all(this.#client.each('listEngines', {})));
  }

  async changeEngine(name: string, change: Input<'changeEngine'>['body']): Promise<EngineView> {
    return (await said(() => this.#client.call('changeEngine', { path: { name }, body: change }))).body;
  }

  async addEngine(engine: Input<'addEngine'>['body']): Promise<{ engine: EngineView; created: boolean }> {
    const { status, body } = await said(() => this.#client.call('addEngine', { body: engine }));
    return { engine: body, created: status === 201 };
  }

  /** The nodes that share the state of the aggregator. */
  async cluster(): Promise<ClusterView> {
    return (await said(() => this.#client.call('getCluster'))).body;
  }

  /** Takes the state of a replaced etcd. */
  async acceptCluster(): Promise<ClusterView> {
    return (await said(() => this.#client.call('acceptCluster'))).body;
  }

  /** Writes the state file anew, sealed with the first key of its file. */
  async sealState(): Promise<Answer<'sealState'>> {
    return (await said(() => this.#client.call('sealState'))).body;
  }

  /** Seals anew what stands in etcd. */
  async sealCluster(): Promise<Answer<'sealCluster'>> {
    return (await said(() => this.#client.call('sealCluster'))).body;
  }

  async removeEngine(name: string): Promise<void> {
    await said(() => this.#client.call('removeEngine', { path: { name } }));
  }

  /** What is logged. */
  async log(): Promise<LogView> {
    return (await said(() => this.#client.call('getLog'))).body;
  }

  /** The newest lines of the log, or those after one. */
  async logLines(query: NonNullable<Input<'listLogLines'>['query']>): Promise<LogLinesView> {
    return (await said(() => this.#client.call('listLogLines', { query }))).body;
  }

  /** Server-sent events, to be read as they come. */
  followEvents(query: NonNullable<Input<'followEvents'>['query']>, signal: AbortSignal): Promise<Response> {
    return said(() => this.#client.open('followEvents', { query }, { signal }));
  }

  async changeLog(change: Input<'changeLog'>['body']): Promise<LogView> {
    return (await said(() => this.#client.call('changeLog', { body: change }))).body;
  }

  /** Has all lines of a camera logged for a time. */
  async debugCamera(name: string, seconds: number): Promise<DebuggedCameraView> {
    return (await said(() => this.#client.call('debugCamera', { path: { name }, body: { seconds } }))).body;
  }

  async endDebug(name: string): Promise<void> {
    await said(() => this.#client.call('endCameraDebug', { path: { name } }));
  }

  /** The aggregator, the one that is asked. */
  nodes(): Promise<NodeView[]> {
    return said(async () => [...(await this.#client.call('listNodes', { query: { node: 'self' } })).body.items]);
  }

  /** The aggregators of the cluster, the one that is asked first, and the ids of those that do not answer. */
  async allNodes(): Promise<{ readonly nodes: readonly NodeView[]; readonly unknown: readonly string[] }> {
    const { items, unknown = [] } = (await said(() => this.#client.call('listNodes'))).body;
    return { nodes: items, unknown };
  }

  /** Has a node take no new cameras, and its own go elsewhere; or ends that. */
  async drainNode(id: string, body: Input<'drainNode'>['body']): Promise<Answer<'drainNode'>> {
    return (await said(() => this.#client.call('drainNode', { path: { id }, body }))).body;
  }

  /** The settings, with where each comes from. */
  async config(): Promise<Config> {
    return (await said(() => this.#client.call('getConfig'))).body;
  }

  async problems(): Promise<readonly ProblemView[]> {
    return (await said(() => this.#client.call('getConfig'))).body.problems;
  }

  async tokens(): Promise<readonly TokenView[]> {
    return (await said(() => this.#client.call('listTokens'))).body.items;
  }

  async createToken(token: Input<'createToken'>['body']): Promise<MadeTokenView> {
    return (await said(() => this.#client.call('createToken', { body: token }))).body;
  }

  async revokeToken(name: string): Promise<void> {
    await said(() => this.#client.call('revokeToken', { path: { name } }));
  }
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const tokenHint =
  'Give a token with --token-file FILE or MEDIA_AGGREGATOR_TOKEN; "media-aggregator token create" makes one.';

/** Failures of the client as the errors of the command line. */
async function said<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof ApiProblem) {
      const message = error.code === 'UNAUTHENTICATED' ? `${error.message}. ${tokenHint}` : error.message;
      throw isErrorCode(error.code) ? new CodedError(error.code, message) : new ApiError(error.code, message);
    }
    if (error instanceof NoAnswer && error.cause instanceof CodedError) throw error.cause;
    if (error instanceof NoAnswer) {
      const reason = error.cause === undefined ? '' : `: ${reasonOf(error.cause)}`;
      throw new CodedError('API_UNREACHABLE', `${error.message}${reason}.`, { cause: error });
    }
    throw error;
  }
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCodes, code);
}

function reasonOf(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') {
    return `nothing came within ${requestTimeoutMs / 1000} s`;
  }
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  if (cause instanceof Error && cause.name === 'TimeoutError') return 'nothing came in time';
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (code === 'ECONNREFUSED') return 'the connection was refused';
  if (/CERT|SELF_SIGNED|UNABLE_TO/.test(code)) {
    return `its certificate is not trusted (${code}); NODE_EXTRA_CA_CERTS names a file with further authorities`;
  }
  return code || messageOf(cause ?? error);
}
