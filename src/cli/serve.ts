import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Access } from '../access/access.js';
import { Manifest } from '../access/manifest.js';
import { keptKey } from '../access/private-file.js';
import { sourcePolicy } from '../address/push-policy.js';
import { StreamKeys } from '../admission/stream-keys.js';
import { Announcer } from '../announce/announcer.js';
import { startApi } from '../api/server.js';
import { Drain } from '../cluster/drain.js';
import { LiveCameras } from '../cluster/live-cameras.js';
import type { SettingSources, Settings } from '../config/index.js';
import { Control } from '../control/control.js';
import { Discovery } from '../discovery/discovery.js';
import { SourceFollower } from '../discovery/follow.js';
import { CodedError, messageOf } from '../errors.js';
import { inStretches } from '../fairness/stretch.js';
import { processIdentity } from '../files/process-identity.js';
import type { LogHealth } from '../log/destination.js';
import type { LogLevels } from '../log/levels.js';
import type { Logger } from '../log/log.js';
import type { DesiredState } from '../model/model.js';
import { brokenRulesSteps, checkChangeSteps, overLimits } from '../model/state-rules.js';
import { Dialer } from '../net/dialer.js';
import { HeapGrowth } from '../process/heap-growth.js';
import { Webhooks } from '../webhooks/webhooks.js';
import { type Closer, closeAll } from './closers.js';
import { type ClusterParts, clusterView, joinNodes, neighboursOf, relayBetween, sharedAccess } from './cluster.js';
import { tellLoad } from './cluster-load.js';
import { claimCameras, peersOf } from './cluster-peers.js';
import { createBackend } from './create-backend.js';
import { openClusterFolder, openDataFolder } from './data-folder.js';
import { urlHost } from './format.js';
import { settingNames } from './named-settings.js';
import { takeIdentity } from './node-identity.js';
import { openNodeKeys } from './node-keys.js';
import { findPortHolder } from './port-holder.js';
import { RtmpTestPatterns } from './rtmp-test-patterns.js';
import { removeRuntime, writeRuntime } from './runtime-file.js';
import { StartWatch } from './start-watch.js';
import { stateSealing } from './state-sealing.js';
import { targetRuleOf, withoutStandby } from './target-rule.js';
import { PatternList } from './test-patterns.js';

/** Where the build puts the dashboard: beside the program. */
const webFolder = fileURLToPath(new URL('../web', import.meta.url));

/** A client that is in the middle of a request must not hold up the goodbye to publishers and targets. */
const apiCloseLimitMs = 750;
/** Nor may an etcd that does not answer. */
const clusterCloseLimitMs = 1000;
/** Nor may a disk that does not answer. */
const runtimeLimitMs = 500;

export interface ServeOptions {
  readonly settings: Settings;
  /** By field: `rtmpPort`, `media.queueMaxBytes`. */
  readonly sources: SettingSources;
  readonly log: Logger;
  /** How that log fares, for problems and figures. */
  readonly logHealth?: () => LogHealth;
  /** What is logged: by `log`, and by media workers. */
  readonly logLevels: LogLevels;
  readonly version: string;
}

/** An aggregator that takes cameras and answers its API. */
export interface RunningAggregator {
  readonly rtmpPort: number;
  /** Of the listener with TLS, where there is one. */
  readonly rtmpsPort?: number;
  /** Of the listener for SRT (UDP), where there is one. */
  readonly srtPort?: number;
  readonly apiPort: number;
  /** Whether the dashboard is served at `/` of the API: a build without it has none. */
  readonly hasDashboard: boolean;
  /** Reads again what can be while it runs: certificates to trust. */
  readAgain(): void;
  /** Ends it in order: not ready any more, then (after `drainDelayMs`) no more requests, publishers and targets told, state on disk. Never rejects; runs once. */
  stop(): Promise<void>;
}

/**
 * Puts the parts together. What was opened before a failure is closed again.
 * @throws CodedError ADDRESS_IN_USE, ACCESS_UNREADABLE, TLS_CERTIFICATE, STATE_LOCKED, STATE_UNREADABLE, STATE_INVALID
 */
export async function startAggregator(options: ServeOptions): Promise<RunningAggregator> {
  const { log, logLevels, version } = options;
  const closers: Closer[] = [];
  try {
    // Until there is a backend, the settings say where pushes may go.
    let refusesTarget = await targetRuleOf(options.settings);
    const check = (before: DesiredState, after: DesiredState) =>
      checkChangeSteps(before, after, {
        ...options.settings,
        refusesTarget,
        withoutStandby: withoutStandby(options.settings),
      });
    const stateLog = log.child({ part: 'state' });
    const watch = startWatchOf(options.settings, log);
    const data = await watch.during(
      options.settings.cluster === undefined ? 'the disk of the state' : 'etcd, or the disk of the data folder',
      options.settings.dataDir,
      options.settings.cluster === undefined
        ? openDataFolder(options.settings.dataDir, stateLog, check, await stateSealing(options.settings))
        : openClusterFolder(options.settings, stateLog, check),
    );
    closers.unshift({ part: 'state', close: () => data.close() });
    const { store } = data;
    const settings: Settings = { ...options.settings, dataDir: data.path };
    const heap = new HeapGrowth();
    heap.note(store.state.cameras.size);
    store.subscribe(({ state }) => heap.note(state.cameras.size));

    const over = overLimits(store.state, settings);
    if (over.length > 0)
      log.warn('the state exceeds limits of the settings; all of it is in force, but nothing can be added', { over });
    await tellBroken(store.state, withoutStandby(settings), log);

    const accessLog = log.child({ part: 'access' });
    const manifest = await Manifest.open(settings.dataDir, accessLog);
    const { cluster } = data;
    const folder = settings.dataDir;
    const { tagKey, streamSecret } = await openNodeKeys({
      folder,
      cluster,
      state: store.state,
      log: accessLog,
      manifest,
    });

    const identity = await takeIdentity(cluster, settings, accessLog, manifest);

    const { host, rtmpPort, media } = settings;
    const backend = await createBackend(settings, streamSecret, log.child({ part: 'media' }), logLevels);
    // Before the start, which may fail half-way: what it holds by then must not keep the process alive.
    closers.unshift({ part: 'media', close: () => backend.stop(media.shutdownTimeoutMs) });
    refusesTarget = (url, audio) => backend.refuses(url, audio);
    const rtmp = await watch.during(
      `the media backend (${backend.kind}), or the disk of its files`,
      settings.dataDir,
      listening(rtmpPort, '--rtmp-port', () => backend.start()),
    );

    // What control and API say of themselves is where it really listens, also when the port was 0. Between the backend's
    // start and that of control the event loop does not turn: no camera that comes at once finds itself unknown.
    const { rtmpsPort, srtPort, statPort } = rtmp;
    const besides = {
      ...(rtmpsPort === undefined ? {} : { rtmpsPort }),
      ...(srtPort === undefined ? {} : { srtPort }),
    };
    const actual: Settings = { ...settings, rtmpPort: rtmp.port, ...besides };
    const streamKeys = new StreamKeys(streamSecret);
    const control = new Control({
      store,
      backend,
      settings: actual,
      log: log.child({ part: 'control' }),
      tagKey,
      streamKeys,
      lastLiveFile: join(settings.dataDir, 'last-live.json'),
    });
    if (options.logHealth !== undefined) control.node.watchLog(options.logHealth);
    await control.start();
    const closeControl = async (): Promise<void> => {
      control.close();
      await control.keepLives();
    };
    closers.unshift({ part: 'control', close: closeControl });
    await control.rememberLives();

    const patternLog = log.child({ part: 'test pattern' });
    const overRtmp = () =>
      new RtmpTestPatterns({
        ...{ host, rtmpPort: rtmp.port, log: patternLog },
        endpointOf: (camera) => control.cameras.ownEndpoint(camera),
      });
    const testPatterns = new PatternList(backend.testPatterns ?? overRtmp(), patternLog);
    closers.unshift({ part: 'test pattern', close: () => testPatterns.close() });
    const discoveryLog = log.child({ part: 'discovery' });
    const discoveryDialer = new Dialer({ policy: sourcePolicy(media) });
    const discovery = new Discovery({ dialer: discoveryDialer, ffmpeg: media.ffmpeg, log: discoveryLog });
    for (const port of [rtmp.port, rtmpsPort]) {
      if (port !== undefined) discoveryDialer.policy.addListener({ host, port });
    }
    const shared = cluster === undefined ? undefined : sharedAccess(cluster, settings.nodeId);
    const access = await Access.open(actual, accessLog, manifest, shared);
    closers.unshift({ part: 'access', close: async () => access.close() });

    const { webhookUrl: urls, webhookTypes: types } = settings;
    let webhooks: Webhooks | undefined;
    if (urls !== undefined) {
      const key = await keptKey(join(settings.dataDir, 'webhook-key'), {
        log: accessLog,
        manifest,
        otherKey: 'all receivers of webhooks refuse what is signed with it',
      });
      webhooks = new Webhooks({ urls, types, key, feed: control.feed, log: log.child({ part: 'webhooks' }) });
      closers.unshift({ part: 'webhooks', close: async () => webhooks?.close() });
      webhooks.start();
    }

    await watch.portIsFree();
    let parts: ClusterParts | undefined;
    let announcer: Announcer | undefined;
    const api = await listening(settings.apiPort, '--api-port', () =>
      startApi({
        access,
        control,
        settings: actual,
        isPromised: (port) => port === rtmp.port || port === statPort,
        settingSources: options.sources,
        settingNames,
        log: log.child({ part: 'api' }),
        version,
        announcement: () => announcer?.view ?? null,
        webhooks: () => webhooks?.views ?? [],
        cluster: () => (cluster && parts ? clusterView(cluster, parts) : undefined),
        webFolder,
        testPatterns,
        discovery,
        logLevels,
        socketFolder: settings.dataDir,
      }),
    );
    control.node.watchFiles(() => [
      ...[...control.lastLiveProblems, ...access.problems, ...api.problems()],
      ...(parts?.nodes.problems ?? []),
      ...(parts?.clocks.problems ?? []),
    ]);
    closers.unshift({ part: 'api', close: () => api.close(), limitMs: apiCloseLimitMs });
    backend.addOwnListener({ host, port: api.port });
    discoveryDialer.policy.addListener({ host, port: api.port });
    const follower = new SourceFollower(
      discovery,
      control.devices,
      { afterMs: media.sourceFollowAfterMs },
      discoveryLog,
    );
    const closeDiscovery = async (): Promise<void> => {
      follower.close();
      // Who waits for what it finds would keep the API from its end.
      discovery.close();
    };
    closers.unshift({ part: 'discovery', close: closeDiscovery });
    follower.start();

    await control.inForce();

    if (cluster !== undefined) {
      const own = {
        host: urlHost(control.cameras.advertisedHost(undefined)),
        ...{ rtmpPort: rtmp.port, ...besides, version },
        takesRelays: backend.relaying !== null,
        identity,
      };
      const nodes = await joinNodes(cluster, { ...actual, apiPort: api.port }, own, log.child({ part: 'cluster' }));
      closers.unshift({ part: 'cluster', close: () => nodes.close(clusterCloseLimitMs) });
      const live = new LiveCameras({ client: cluster.client, prefix: cluster.store.prefix, log });
      closers.unshift({ part: 'live cameras', close: async () => live.close() });
      control.join(neighboursOf(nodes, live));
      const { others, clocks, ...peers } = peersOf(cluster, nodes, log.child({ part: 'cluster' }));
      closers.unshift({ part: 'clocks', close: async () => clocks.close() });
      const claiming = claimCameras(cluster, nodes, peers, backend, live, log.child({ part: 'cluster' }));
      closers.unshift({ part: 'claims', close: async () => claiming?.close() });
      const { claims, holders } = claiming ?? {};
      const drain = new Drain({ nodes, claims, cameras: backend.yielding, log: log.child({ part: 'drain' }) });
      closers.unshift({ part: 'drain', close: async () => drain.close() });
      const quiet = tellLoad(nodes, control, backend.capacity, log.child({ part: 'capacity' }));
      closers.unshift({ part: 'load', close: async () => quiet() });
      parts = { nodes, live, drain, clocks, others, holders };
      if (claims !== undefined) {
        const wants = relayBetween(
          cluster,
          { nodes, gone: peers.gone, live, claims, control },
          settings,
          log.child({ part: 'relays' }),
        );
        closers.unshift({ part: 'relays', close: async () => wants.close() });
      }
    }

    const startedAt = new Date().toISOString();
    const runtime = {
      pid: process.pid,
      process: processIdentity('self'),
      rtmpPort: rtmp.port,
      ...besides,
      apiPort: api.port,
      host,
      // Relative paths would start elsewhere in another command.
      apiCertFile: settings.apiTlsCert === undefined ? undefined : resolve(settings.apiTlsCert),
      adminTokenFile: access.adminTokenFile,
      version,
      startedAt,
    };
    // Commands need it to find this process; cameras do not, and a full disk must not keep them waiting.
    await writeRuntime(settings.dataDir, runtime).catch((error: unknown) =>
      log.warn('runtime.json cannot be written; where the data folder has no api.sock, commands need --api', {
        error: messageOf(error),
      }),
    );
    closers.unshift({
      part: 'runtime',
      close: () => removeRuntime(settings.dataDir, process.pid),
      limitMs: runtimeLimitMs,
    });

    if (settings.contentManager !== undefined) {
      announcer = new Announcer({
        contentManager: settings.contentManager,
        name: settings.resourceId,
        location: settings.location,
        address: () => `${urlHost(control.cameras.advertisedHost(undefined))}:${api.port}`,
        log: log.child({ part: 'announcement' }),
      });
      closers.unshift({ part: 'announcement', close: async () => announcer?.close() });
      announcer.start();
    }

    let stopped: Promise<void> | undefined;
    const stop = () => {
      stopped ??= (async () => {
        const hasTime = settings.drainDelayMs > 0;
        // In a cluster one after the other; without time for it they are asked once, when nobody listens here any more.
        const isEmptied = hasTime && parts?.drain.isOfUse === true;
        control.node.drain({ asksAll: hasTime && !isEmptied });
        // The rest of the delay is for those that come back to a list of nodes that is not new.
        if (isEmptied) parts?.drain.start((settings.drainDelayMs / 1000) * 0.7);
        await sleep(settings.drainDelayMs);
        await closeAll(closers, log);
      })();
      return stopped;
    };
    const readAgain = () => backend.readAgain?.();
    const ports = { rtmpPort: rtmp.port, ...besides, apiPort: api.port };
    const hasDashboard = existsSync(join(webFolder, 'index.html'));
    return { ...ports, hasDashboard, readAgain, stop };
  } catch (error) {
    await closeAll(closers, log);
    throw error;
  }
}

/** Callers of an API with TLS, or on a port that the system chooses, find nobody while the start waits. */
function startWatchOf({ host, apiPort: port, apiTlsCert }: Settings, log: Logger): StartWatch {
  return new StartWatch(log, port === 0 || apiTlsCert !== undefined ? null : { host, port });
}

/** What breaks a rule that older versions did not know is kept, and said. */
async function tellBroken(state: DesiredState, without: string | null, log: Logger): Promise<void> {
  const broken = await inStretches(brokenRulesSteps(state, 10, without));
  if (broken.length === 0) return;
  log.warn('the state breaks rules that changes must follow; it is in force as it is, but correct it when you can', {
    broken,
  });
}

/** Says of a taken port which one it is, who has it and what to do. */
async function listening<T>(port: number, flag: string, start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    // It says itself which setting it is about.
    if (error instanceof CodedError && error.field !== undefined && error.field !== flag) throw error;
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EADDRINUSE' || code === 'ADDRESS_IN_USE') {
      const holder = findPortHolder(port);
      const message =
        `Port ${port} is taken${holder === undefined ? ' by another program' : ` by ${holder}`}; ` +
        `stop it, or use another port with ${flag} (0: any free one).`;
      throw new CodedError('ADDRESS_IN_USE', message, { cause: error, field: flag });
    }
    if (code === 'EACCES' || code === 'EADDRNOTAVAIL') {
      const reason =
        code === 'EACCES' ? 'this user may not listen on it' : 'the address of --host is none of this machine';
      const message = `Port ${port} cannot be used: ${reason} (${messageOf(error)}).`;
      throw new CodedError('CONFIG_INVALID_VALUE', message, { cause: error, field: flag });
    }
    throw error;
  }
}
