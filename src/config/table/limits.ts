import { eventTypes } from '../../events/event.js';
import { table } from '../setting.js';
import { integerType, MB, sizeType, urlListType, wordListType } from '../values.js';

/** What this node tells of itself: what it knows of others stands in the event stream alone. */
const ownTypes = eventTypes.filter((type) => !type.startsWith('node.'));
/** Words that select events: their types, and the first words of the types. */
const eventWords = [...new Set(ownTypes.map((type) => type.split('.', 1)[0] ?? '')), ...ownTypes];

/** How much there may be of each thing, and who is told of events. */
export const limitsTable = table({
  maxCameras: {
    key: 'max-cameras',
    type: integerType(1, 1_000_000),
    default: 10_000,
    description: 'Maximum number of registered cameras',
  },
  /** Millions of bits per second that this node sends at most to targets, other nodes and viewers; undefined: no limit. */
  capacityOutMbps: {
    key: 'capacity-out-mbps',
    type: integerType(1, 10_000_000, '<Mbit/s>'),
    default: undefined,
    description:
      'What this node may send to targets, other nodes and viewers together; new cameras, pushes and viewers beyond it are refused (docs/cluster.md); if not set, no limit',
  },
  capacityCameras: {
    key: 'capacity-cameras',
    type: integerType(1, 1_000_000),
    default: undefined,
    description:
      'How many cameras may be live on this node at once, those that other nodes send included; if not set, no limit',
  },
  maxPushesPerCamera: {
    key: 'max-pushes-per-camera',
    type: integerType(1, 10_000),
    default: 100,
    description: 'Maximum number of pushes per camera',
  },
  maxEngines: {
    key: 'max-engines',
    type: integerType(1, 100_000),
    default: 1_000,
    description: 'Maximum number of registered streaming engines',
  },
  /** Who is told of events; undefined: nobody. */
  webhookUrl: {
    key: 'webhook-url',
    type: urlListType(),
    default: undefined,
    description: 'URLs that events are sent to, signed with the key in DATA_DIR/webhook-key (docs/webhooks.md)',
  },
  /** Types of events, or their first words; undefined: all. */
  webhookTypes: {
    key: 'webhook-types',
    type: wordListType(eventWords),
    default: undefined,
    description: 'Types of the events that are sent to webhook-url; if not set, all',
  },
  /** Series of cameras and pushes in /metrics. */
  metricsMaxSeries: {
    key: 'metrics-max-series',
    type: integerType(0, 10_000_000),
    default: 50_000,
    description:
      'Maximum number of series of cameras (15 each) and pushes (21 each) in /metrics; the rest count in the totals only',
  },
  /** What the history of live cameras, for plots, may take in memory; 0: there is none. */
  historyMaxBytes: {
    key: 'history-max-bytes',
    type: sizeType('0', '16GB'),
    default: 64 * MB,
    description: 'Maximum memory for the last hour of figures of live cameras, for plots; 0: none are kept',
  },
  /** Viewers over HTTP and WebSocket at once, of all cameras. */
  maxHttpViewers: {
    key: 'max-http-viewers',
    type: integerType(0, 1_000_000),
    default: 1_000,
    description: 'Maximum number of viewers over HTTP and WebSocket, of all cameras together',
  },
  maxHttpViewersPerAddress: {
    key: 'max-http-viewers-per-address',
    type: integerType(1, 1_000_000),
    default: 250,
    description: 'Maximum number of HTTP viewers from one address or IPv6 /64, counted separately for each token',
  },
  maxEventReaders: {
    key: 'max-event-readers',
    type: integerType(0, 10_000),
    default: 64,
    description: 'Maximum number of connections to /v1/events',
  },
  maxEventReadersPerAddress: {
    key: 'max-event-readers-per-address',
    type: integerType(1, 10_000),
    default: 16,
    description:
      'Maximum number of readers of /v1/events from one address or IPv6 /64, counted separately for each token',
  },
});
