import { type BackendTotals, type CapacityFacts, pushStates, type WorkerFacts } from '../../backend/backend.js';
import type { NodeLoadFigures } from '../../control/node-load.js';
import type { CameraView, IngestView, PushView, SourceView } from '../../control/views.js';
import { maxIngests } from '../../model/model.js';
import type { OpenFilesFigures } from '../../process/open-files.js';
import { elapsedMs } from '../../process/wall-clock.js';
import type { WebhookView } from '../../webhooks/receiver.js';
import type { Series } from './series.js';

const seconds = (ms: number | null): number | null => (ms === null ? null : ms / 1000);
/** Bits per second as bytes per second: Prometheus counts in base units. */
const bytes = (bits: number | null): number | null => (bits === null ? null : bits / 8);

/** What there is to tell of the node. */
export interface NodeFacts {
  readonly isUp: boolean;
  readonly cameras: number;
  readonly totals: BackendTotals;
  readonly problems: readonly { readonly code: string }[];
  readonly facts: Readonly<Record<string, string | number | boolean | null>>;
  readonly capacity: CapacityFacts | null;
  readonly load: NodeLoadFigures;
  readonly logLinesLost: number;
  /** Publishers that were refused, by code. */
  readonly refused: ReadonlyMap<string, number>;
  readonly openFiles: OpenFilesFigures;
  readonly pushStates: ReadonlyMap<string, number>;
  readonly leftOut: { readonly cameras: number; readonly pushes: number };
  readonly version: string;
  readonly backend: string;
}

export const nodeSeries: readonly Series<NodeFacts>[] = [
  {
    name: 'build_info',
    type: 'gauge',
    labels: ['version', 'backend'],
    help: 'Always 1; what runs, in the labels.',
    read: ({ version, backend }) => [{ value: 1, labels: { version, backend } }],
  },
  {
    name: 'up',
    type: 'gauge',
    help: '1 when the media backend takes RTMP, probed by a handshake; else 0.',
    read: ({ isUp }) => (isUp ? 1 : 0),
  },
  {
    name: 'socket_mode',
    type: 'gauge',
    labels: ['mode'],
    help: 'Always 1; how RTMP without TLS is read and written, in the label: uring, direct, plain. Of media workers the worst.',
    read: ({ facts: { socketMode } }) =>
      typeof socketMode === 'string' ? [{ value: 1, labels: { mode: socketMode } }] : [],
  },
  {
    name: 'log_lines_lost_total',
    type: 'counter',
    help: 'Lines of the log that were never written, because it took none.',
    read: ({ logLinesLost }) => logLinesLost,
  },
  {
    name: 'publishers_refused_total',
    type: 'counter',
    labels: ['code'],
    help: 'Publishers that were not let in, by the code in docs/errors.md: an unknown name, a wrong key, a camera that is live already ...',
    read: ({ refused }) => [...refused].map(([code, value]) => ({ value, labels: { code } })),
  },
  {
    name: 'open_files',
    type: 'gauge',
    help: 'Descriptors that the process has open; a media worker has its own.',
    read: ({ openFiles: { open } }) => open,
  },
  {
    name: 'open_files_limit',
    type: 'gauge',
    help: 'Descriptors that the process may have open (ulimit -n).',
    read: ({ openFiles: { limit } }) => (Number.isFinite(limit) ? limit : null),
  },
  {
    name: 'open_files_refused_total',
    type: 'counter',
    labels: ['use'],
    help: 'Connections refused since few descriptors were left: media (cameras, viewers), push, api, local (API callers of this machine).',
    read: ({ openFiles: { refused } }) => Object.entries(refused).map(([use, value]) => ({ value, labels: { use } })),
  },
  { name: 'cameras', type: 'gauge', help: 'Registered cameras.', read: ({ cameras }) => cameras },
  { name: 'cameras_live', type: 'gauge', help: 'Cameras that publish now.', read: ({ totals }) => totals.liveCameras },
  {
    name: 'pushes',
    type: 'gauge',
    labels: ['state'],
    help: 'Pushes by state, of all cameras.',
    read: ({ pushStates: states }) => [...states].map(([state, value]) => ({ value, labels: { state } })),
  },
  { name: 'viewers', type: 'gauge', help: 'Viewers, over RTMP and HTTP.', read: ({ totals }) => totals.viewers },
  {
    name: 'rtmp_connections',
    type: 'gauge',
    help: 'RTMP connections that others made.',
    read: ({ totals }) => totals.connections,
  },
  {
    name: 'receive_bytes_per_second',
    type: 'gauge',
    help: 'Media from all publishers, averaged over about 10 s.',
    read: ({ totals }) => bytes(totals.bitrateInBps),
  },
  {
    name: 'send_bytes_per_second',
    type: 'gauge',
    help: 'To all targets and viewers, averaged over about 10 s.',
    read: ({ totals }) => bytes(totals.bitrateOutBps),
  },
  {
    name: 'capacity_send_bytes_per_second',
    type: 'gauge',
    help: 'What the node may send (capacity-out-mbps); none without a limit.',
    read: ({ capacity }) => bytes(capacity?.outBps ?? null),
  },
  {
    name: 'capacity_cameras',
    type: 'gauge',
    help: 'How many cameras may be live at once (capacity-cameras); none without a limit.',
    read: ({ capacity }) => capacity?.cameras ?? null,
  },
  {
    name: 'committed_bytes_per_second',
    type: 'gauge',
    help: 'What takes room of capacity-out-mbps, what is about to begin included; none without a limit.',
    read: ({ capacity }) => (capacity?.outBps == null ? null : bytes(capacity.committedBps)),
  },
  {
    name: 'full',
    type: 'gauge',
    help: '1 while the node takes no new cameras, since its capacity is reached; else 0.',
    read: ({ capacity }) => (capacity?.isFull === true ? 1 : 0),
  },
  {
    name: 'peak_send_bytes_per_second',
    type: 'gauge',
    help: 'The most that was sent while the event loop was less than 100 ms late, since the start.',
    read: ({ load }) => bytes(load.peakBitrateOutBps),
  },
  {
    name: 'peak_cameras_live',
    type: 'gauge',
    help: 'The most cameras that were live while the event loop was less than 100 ms late, since the start.',
    read: ({ load }) => load.peakLiveCameras,
  },
  {
    name: 'problem',
    type: 'gauge',
    labels: ['code'],
    help: 'How many things are wrong until somebody mends them, by the code in docs/errors.md: a refused edit of the state, a full disk ...',
    read: ({ problems }) =>
      [...new Set(problems.map(({ code }) => code))].map((code) => ({
        value: problems.filter((problem) => problem.code === code).length,
        labels: { code },
      })),
  },
  {
    name: 'metrics_left_out',
    type: 'gauge',
    labels: ['kind'],
    help: 'Cameras and pushes without series of their own, since metrics-max-series is reached.',
    read: ({ leftOut }) => Object.entries(leftOut).map(([kind, value]) => ({ value, labels: { kind } })),
  },
  {
    name: 'backend_fact',
    type: 'gauge',
    labels: ['name'],
    help: 'Numbers that only this media backend has: mediaKeptBytes of mediaMaxBytes (GOPs and queues), unfinishedBytes, floodsEnded, ringSends, nginxReloads ...',
    read: ({ facts }) =>
      Object.entries(facts).map(([name, value]) => ({
        value: typeof value === 'number' ? value : null,
        labels: { name },
      })),
  },
];

function trackLabels(track: CameraView['tracks'][number]): Record<string, string> {
  const { kind, id, codec, profile, width, height, hdr, channels } = track;
  const size = width === null || height === null ? '' : `${width}x${height}`;
  const known = { codec: codec ?? '', profile: profile ?? '', hdr: hdr ?? '', channels: `${channels ?? ''}` };
  return { kind, track: String(id), size, ...known };
}

export const cameraSeries: readonly Series<CameraView>[] = [
  {
    name: 'camera_live',
    type: 'gauge',
    help: '1 while the camera publishes, else 0.',
    read: ({ live }) => (live ? 1 : 0),
  },
  {
    name: 'camera_received_bytes_total',
    type: 'counter',
    help: 'Media from the camera since it is live; it begins anew with each publisher.',
    read: ({ live, bytesIn }) => (live ? bytesIn : null),
  },
  {
    name: 'camera_receive_bytes_per_second',
    type: 'gauge',
    help: 'Media from the camera, averaged over about 10 s.',
    read: ({ bitrateInBps }) => bytes(bitrateInBps),
  },
  {
    name: 'camera_track_info',
    type: 'gauge',
    labels: ['kind', 'track', 'codec', 'profile', 'size', 'hdr', 'channels'],
    perThing: 2,
    help: 'Always 1, for the default track of each kind of a live camera; what it is, in the labels, which are empty where it is not known.',
    read: ({ tracks }) =>
      tracks.filter(({ isDefault }) => isDefault).map((track) => ({ value: 1, labels: trackLabels(track) })),
  },
  {
    name: 'camera_frames_per_second',
    type: 'gauge',
    help: 'Video frames of the camera, over about 10 s.',
    read: ({ frameRate }) => frameRate,
  },
  {
    name: 'camera_key_frame_interval_seconds',
    type: 'gauge',
    help: 'Between the last two key frames.',
    read: ({ keyFrameIntervalMs }) => seconds(keyFrameIntervalMs),
  },
  {
    name: 'camera_jitter_seconds',
    type: 'gauge',
    help: 'Deviation of the arrival of frames from their timestamps, smoothed.',
    read: ({ jitterMs }) => seconds(jitterMs),
  },
  {
    name: 'camera_timestamp_jumps_total',
    type: 'counter',
    help: 'Timestamps that went backwards or jumped by more than 3 s, since the camera is live.',
    read: ({ live, timestampJumps }) => (live ? timestampJumps : null),
  },
  {
    name: 'camera_without_key_frames',
    type: 'gauge',
    help: '1 while the camera sends no key frames that one could start at, 0 while it does.',
    read: ({ live, conditions }) =>
      live ? Number(conditions?.some(({ code }) => code === 'NO_KEY_FRAME') ?? false) : null,
  },
  {
    name: 'camera_conditions',
    type: 'gauge',
    help: 'How many things are wrong with the camera now.',
    read: ({ conditions }) => conditions?.length ?? 0,
  },
  {
    name: 'camera_condition',
    type: 'gauge',
    labels: ['code'],
    help: '1 for each thing that is wrong with the camera now, by the code in docs/errors.md: CAMERA_NO_VIDEO, CAMERA_SILENT ...',
    read: ({ conditions }) => conditions?.map(({ code }) => ({ value: 1, labels: { code } })),
  },
  {
    name: 'camera_ignored_messages_total',
    type: 'counter',
    help: 'Messages of the publisher that could not be used, since it connected.',
    read: ({ live, ignoredMessages }) => (live ? ignoredMessages : null),
  },
  {
    name: 'camera_last_frame_timestamp_seconds',
    type: 'gauge',
    help: 'When the last frame came, seconds since 1970.',
    read: ({ lastFrameAt }) => (lastFrameAt === null ? null : Date.parse(lastFrameAt) / 1000),
  },
  { name: 'camera_viewers', type: 'gauge', help: 'Viewers of the camera.', read: ({ viewers }) => viewers },
];

/** Of cameras with several ingests; others have none of these. */
const perIngest = maxIngests;
const ofIngests = (
  { ingests = [] }: CameraView,
  read: (ingest: IngestView) => number | null,
): { value: number | null; labels: { ingest: string } }[] =>
  ingests.map((ingest) => ({ value: read(ingest), labels: { ingest: ingest.name } }));

/** What is fetched of a camera: of each of its ingests, by its name; of a camera without a list, `main`. */
const ofSources = (
  { ingests, source }: CameraView,
  read: (source: SourceView) => number,
): { value: number; labels: { ingest: string } }[] => {
  const all = ingests ?? [{ name: 'main', source }];
  return all.flatMap(({ name, source: own }) =>
    own === undefined ? [] : [{ value: read(own), labels: { ingest: name } }],
  );
};

/** Of a camera whose encoder publishes by SRT. */
export const srtSeries: readonly Series<CameraView>[] = [
  {
    name: 'camera_srt_round_trip_seconds',
    type: 'gauge',
    help: 'To the SRT encoder of the camera and back.',
    read: ({ srt }) => (srt?.rttMs == null ? null : srt.rttMs / 1000),
  },
  {
    name: 'camera_srt_packets_total',
    type: 'counter',
    help: 'Packets of the SRT encoder of the camera, since it connected.',
    read: ({ srt }) => srt?.packets,
  },
  {
    name: 'camera_srt_packets_lost_total',
    type: 'counter',
    help: 'Packets that did not come at first; most of them come when they are asked for.',
    read: ({ srt }) => srt?.packetsLost,
  },
  {
    name: 'camera_srt_packets_dropped_total',
    type: 'counter',
    help: 'Packets that never came, or too late: what was in them is missed.',
    read: ({ srt }) => srt?.packetsDropped,
  },
];

/** Of cameras that are fetched from where they are. */
export const sourceSeries: readonly Series<CameraView>[] = [
  {
    name: 'source_up',
    type: 'gauge',
    labels: ['ingest'],
    perThing: perIngest,
    help: '1 while media comes from the source, or nobody wants it (on demand); else 0.',
    read: (camera) => ofSources(camera, ({ state }) => (state === 'live' || state === 'off' ? 1 : 0)),
  },
  {
    name: 'source_connects_total',
    type: 'counter',
    labels: ['ingest'],
    perThing: perIngest,
    help: 'How often media began to come from the source.',
    read: (camera) => ofSources(camera, ({ connects }) => connects),
  },
];

/** A camera without a list of ingests has one, which is what its other series are about. */
export const ingestSeries: readonly Series<CameraView>[] = [
  {
    name: 'camera_switches_total',
    type: 'counter',
    help: 'How often the stream of the camera went on with another ingest.',
    read: ({ ingests, switches }) => (ingests === undefined ? null : (switches ?? 0)),
  },
  {
    name: 'ingest_up',
    type: 'gauge',
    labels: ['ingest'],
    perThing: perIngest,
    help: '1 while the ingest is ready: connected, and its frames come as they should; else 0.',
    read: (camera) => ofIngests(camera, ({ state }) => (state === 'ready' ? 1 : 0)),
  },
  {
    name: 'ingest_live',
    type: 'gauge',
    labels: ['ingest'],
    perThing: perIngest,
    help: '1 for the ingest that feeds the stream of the camera, 0 for those that stand by.',
    read: (camera) => ofIngests(camera, ({ live }) => (live ? 1 : 0)),
  },
  {
    name: 'ingest_receive_bytes_per_second',
    type: 'gauge',
    labels: ['ingest'],
    perThing: perIngest,
    help: 'Media of the ingest, averaged over about 10 s.',
    read: (camera) => ofIngests(camera, ({ bitrateInBps }) => bytes(bitrateInBps)),
  },
];

export const pushSeries: readonly Series<PushView>[] = [
  {
    name: 'push_state',
    type: 'gauge',
    labels: ['state'],
    help: '1 for the state that the push is in, 0 for the others.',
    perThing: pushStates.length,
    read: (push) => pushStates.map((state) => ({ value: state === push.state ? 1 : 0, labels: { state } })),
  },
  {
    name: 'push_state_since_timestamp_seconds',
    type: 'gauge',
    help: 'Since when the push is in its state, seconds since 1970.',
    read: ({ since }) => Date.parse(since) / 1000,
  },
  {
    name: 'push_sent_bytes_total',
    type: 'counter',
    help: 'Bytes handed to the network.',
    read: ({ bytesOut }) => bytesOut,
  },
  {
    name: 'push_sent_frames_total',
    type: 'counter',
    help: 'Audio and video messages handed to the network.',
    read: ({ framesOut }) => framesOut,
  },
  {
    name: 'push_send_bytes_per_second',
    type: 'gauge',
    help: 'To the target, averaged over about 10 s.',
    read: ({ bitrateBps }) => bytes(bitrateBps),
  },
  {
    name: 'push_dropped_frames_total',
    type: 'counter',
    labels: ['reason'],
    help: 'Frames left out, by the budget that was exceeded.',
    perThing: 3,
    read: ({ droppedBy }) => Object.entries(droppedBy ?? {}).map(([reason, value]) => ({ value, labels: { reason } })),
  },
  {
    name: 'push_queue_bytes',
    type: 'gauge',
    help: 'Bytes that wait for the target.',
    read: ({ queueBytes }) => queueBytes,
  },
  {
    name: 'push_queue_age_seconds',
    type: 'gauge',
    help: 'Age of the oldest byte that waits for the target.',
    read: ({ queueAgeMs }) => seconds(queueAgeMs),
  },
  {
    name: 'push_round_trip_seconds',
    type: 'gauge',
    help: 'From sending to the acknowledgement of the target, where it sends any.',
    read: ({ roundTripMs }) => seconds(roundTripMs),
  },
  {
    name: 'push_connects_total',
    type: 'counter',
    help: 'Connections to the target that were accepted.',
    read: ({ connects }) => connects,
  },
  {
    name: 'push_failures_in_a_row',
    type: 'gauge',
    help: 'Tries that failed since media last flowed for a while.',
    read: ({ attempt }) => attempt,
  },
  {
    name: 'push_down_seconds',
    type: 'gauge',
    help: 'How long the target has taken no media, over all retries; 0 while it does.',
    read: ({ downSince }) => (downSince === null ? 0 : elapsedMs(Date.parse(downSince)) / 1000),
  },
];

/** How the pushes to an engine fare. */
export interface EngineFacts {
  readonly states: Map<string, number>;
  down: number;
}

export const engineSeries: readonly Series<EngineFacts>[] = [
  {
    name: 'engine_pushes',
    type: 'gauge',
    labels: ['state'],
    help: 'Pushes to the streaming engine, by state.',
    read: ({ states }) => [...states].map(([state, value]) => ({ value, labels: { state } })),
  },
  {
    name: 'engine_pushes_down',
    type: 'gauge',
    help: 'Pushes to the streaming engine whose target takes no media although it should.',
    read: ({ down }) => down,
  },
];

export const webhookSeries: readonly Series<WebhookView>[] = [
  {
    name: 'webhook_waiting_events',
    type: 'gauge',
    help: 'Events that wait for the receiver.',
    read: ({ waiting }) => waiting,
  },
  {
    name: 'webhook_delivered_events_total',
    type: 'counter',
    help: 'Events that the receiver took.',
    read: ({ delivered }) => delivered,
  },
  {
    name: 'webhook_failures_total',
    type: 'counter',
    help: 'Tries that failed.',
    read: ({ failures }) => failures,
  },
  {
    name: 'webhook_dropped_events_total',
    type: 'counter',
    labels: ['reason'],
    help: 'Events that the receiver never got: more than may wait, too old, or refused by it.',
    read: ({ dropped }) => Object.entries(dropped).map(([reason, value]) => ({ value, labels: { reason } })),
  },
];

/** Without media workers there are none of these. The process that answers has metrics of its own (`process_...`). */
export const workerSeries: readonly Series<WorkerFacts>[] = [
  { name: 'worker_up', type: 'gauge', help: '1 while the media worker runs, else 0.', read: ({ up }) => (up ? 1 : 0) },
  {
    name: 'worker_cameras',
    type: 'gauge',
    help: 'Cameras that have their home in the media worker.',
    read: ({ cameras }) => cameras,
  },
  {
    name: 'worker_restarts_total',
    type: 'counter',
    help: 'How often the media worker was started again.',
    read: ({ restarts }) => restarts,
  },
  {
    name: 'worker_cpu_seconds_total',
    type: 'counter',
    help: 'CPU time of the media worker since its last start.',
    read: ({ cpuSeconds }) => cpuSeconds,
  },
  {
    name: 'worker_resident_memory_bytes',
    type: 'gauge',
    help: 'Resident memory of the media worker.',
    read: ({ residentBytes }) => residentBytes,
  },
  {
    name: 'worker_event_loop_delay_seconds',
    type: 'gauge',
    help: 'How late its event loop was in about the last second, at worst.',
    read: ({ loopDelayMs }) => seconds(loopDelayMs),
  },
  {
    name: 'worker_socket_mode',
    type: 'gauge',
    labels: ['mode'],
    help: 'Always 1; how the media worker reads and writes RTMP without TLS, in the label: uring, direct, plain.',
    read: ({ socketMode }) => (socketMode === null ? [] : [{ value: 1, labels: { mode: socketMode } }]),
  },
];

/** Every metric of our own with the labels of its thing, for the documentation. */
export const metricTables: readonly { readonly of: readonly string[]; readonly table: readonly Series<never>[] }[] = [
  { of: [], table: nodeSeries },
  { of: ['camera'], table: cameraSeries },
  { of: ['camera'], table: ingestSeries },
  { of: ['camera'], table: sourceSeries },
  { of: ['camera'], table: srtSeries },
  { of: ['camera', 'push'], table: pushSeries },
  { of: ['engine'], table: engineSeries },
  { of: ['receiver'], table: webhookSeries },
  { of: ['worker'], table: workerSeries },
];
