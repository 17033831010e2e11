import { table } from '../setting.js';
import { durationType, integerType, KB, MB, sizeType } from '../values.js';

/** What peers may take. */
export const rtmpLimitsTable = table({
  maxConnections: {
    key: 'max-connections',
    type: integerType(1, 1_000_000),
    default: 4_000,
    description: 'Maximum number of RTMP connections',
  },
  maxConnectionsPerAddress: {
    key: 'max-connections-per-address',
    type: integerType(1, 1_000_000),
    default: 1_000,
    description: 'Maximum number of RTMP connections from one address or IPv6 /64',
  },
  maxMessageBytes: {
    key: 'max-message-bytes',
    type: sizeType('64KB', '16777215'),
    default: 8 * MB,
    description: 'Maximum size of a received RTMP message, which is one frame',
  },
  unfinishedMaxBytes: {
    key: 'unfinished-max-bytes',
    type: sizeType('32MB', '64GB'),
    default: 128 * MB,
    description:
      'Maximum memory for all incomplete RTMP messages; above it, the peer that has held the most for the longest is disconnected',
  },
  maxChunkStreams: {
    key: 'max-chunk-streams',
    type: integerType(8, 65_597),
    default: 64,
    description: 'Maximum number of chunk streams per connection',
  },
  maxViewersPerCamera: {
    key: 'max-viewers-per-camera',
    type: integerType(0, 1_000_000),
    default: 1_000,
    description: 'Maximum number of viewers per camera, over RTMP and HTTP together',
  },
  maxViewersPerAddress: {
    key: 'max-viewers-per-address',
    type: integerType(1, 1_000_000),
    default: 250,
    description: 'Maximum number of RTMP viewers of one camera from one address or IPv6 /64',
  },
  /** What GOPs and the queues of slow targets and viewers may take in all. */
  mediaMaxBytes: {
    key: 'media-max-bytes',
    type: sizeType('1MB', '1024GB'),
    default: 1024 * MB,
    description: 'Maximum total memory for kept GOPs and for the queues of slow targets and viewers',
  },
  /** Thousands of bits per second that one camera may send, averaged over about 10 s. */
  maxBitrateKbps: {
    key: 'max-bitrate-kbps',
    type: integerType(1, 100_000_000, '<kbit/s>'),
    default: 200_000,
    description: 'Maximum bitrate of one camera, averaged over about 10 s; a camera that sends more is disconnected',
  },
  maxAmfDepth: {
    key: 'max-amf-depth',
    type: integerType(1, 256),
    default: 32,
    description: 'Maximum nesting of AMF values in an RTMP command',
  },
  /** The largest command message. */
  maxCommandBytes: {
    key: 'max-command-bytes',
    type: sizeType('1KB', '1MB'),
    default: 64 * KB,
    description: 'Maximum size of a command, and of any message from a peer that does not publish yet',
  },
  shutdownTimeoutMs: {
    key: 'shutdown-timeout',
    type: durationType('0ms', '10m'),
    default: 3_000,
    description: 'How long to wait for targets and viewers to finish when the aggregator stops',
  },
});
