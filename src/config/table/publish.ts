import { hookUrlType } from '../lists.js';
import { table } from '../setting.js';
import { choiceType, durationType, textType } from '../values.js';

/** Who may publish and play, and for how long silence is borne. */
export const publishTable = table({
  /** From the accepted connection until publish or play. */
  handshakeTimeoutMs: {
    key: 'handshake-timeout',
    type: durationType('100ms', '10m'),
    default: 10_000,
    description: 'Time limit from accepting a connection until it publishes or plays',
  },
  /** How long a publisher may send nothing. */
  idleTimeoutMs: {
    key: 'idle-timeout',
    type: durationType('1s', '1h'),
    default: 30_000,
    description: 'How long a publisher may send nothing before it is closed',
  },
  /** How long a packet that is missing is waited for, at least. */
  srtLatencyMs: {
    key: 'srt-latency',
    type: durationType('20ms', '8s'),
    default: 120,
    description: 'How long SRT waits for a lost packet to be sent again; an encoder that asks for more gets more',
  },
  /** A publisher that was silent for so long gives way to a new one. */
  publishTakeoverMs: {
    key: 'publish-takeover',
    type: durationType('100ms', '1h'),
    default: 3_000,
    description: 'How long a publisher must be silent before another one of the same camera may replace it',
  },
  /** How long targets are kept connected for a camera that left and may return; 0: not at all. */
  publishGraceMs: {
    key: 'publish-grace',
    type: durationType('0ms', '1h'),
    default: 10_000,
    description: 'How long targets and viewers stay connected after a camera has left; 0s disconnects them at once',
  },
  /** How long frames or pictures of the live ingest may be missed while another one stands by. */
  standbyAfterMs: {
    key: 'standby-after',
    type: durationType('100ms', '1m'),
    default: 500,
    description:
      'Cameras with several ingests: how long the live one may send nothing, or no video, before the next one takes over',
  },
  /** Undefined: `slates` in the data folder. */
  slateDir: {
    key: 'slate-dir',
    type: textType(4096, '<folder>'),
    default: undefined,
    description:
      'Folder with the FLV files that cameras may show as a slate when no ingest is left; if not set, slates in data-dir',
  },
  /** Who may publish: `name`: anybody who knows the name of the camera; `key`: only with its publish key. */
  publishAuth: {
    key: 'publish-auth',
    type: choiceType('name', 'key'),
    default: 'name',
    description:
      'Who may publish: name: anyone who knows the name of the camera; key: only with the publish key (?key=KEY)',
  },
  /** Who may play: `off`: anybody; `token`: only with a play token; `local`: this machine, and others with a play token. */
  playAuth: {
    key: 'play-auth',
    type: choiceType('off', 'token', 'local'),
    default: 'off',
    description:
      'Who may play: off: anyone; token: only with a play token (?token=TOKEN); local: this machine, and others with a token',
  },
  /** URLs of the auth hooks for publishers and viewers; undefined: none. */
  onPublish: {
    key: 'on-publish',
    type: hookUrlType(),
    default: undefined,
    description: 'Auth hook: URL that is called for every publisher, like on_publish of nginx-rtmp; 2xx accepts it',
  },
  onPlay: {
    key: 'on-play',
    type: hookUrlType(),
    default: undefined,
    description: 'Auth hook: URL that is called for every viewer, like on_play of nginx-rtmp; 2xx accepts it',
  },
  /** How they are asked: form fields as by nginx-rtmp, or JSON. */
  onPublishFormat: {
    key: 'on-publish-format',
    type: choiceType('form', 'json'),
    default: 'form',
    description:
      'Body of the call to on-publish: form: fields as in nginx-rtmp; json: JSON that keeps what the publisher says separate',
  },
  onPlayFormat: {
    key: 'on-play-format',
    type: choiceType('form', 'json'),
    default: 'form',
    description: 'Body of the call to on-play, as for on-publish',
  },
  hookTimeoutMs: {
    key: 'hook-timeout',
    type: durationType('100ms', '1m'),
    default: 3_000,
    description: 'Time limit for an answer of on-publish and on-play',
  },
  hookQueueTimeoutMs: {
    key: 'hook-queue-timeout',
    type: durationType('100ms', '1m'),
    default: 5_000,
    description: 'How long a publisher or viewer waits until its auth hook can be called',
  },
  hookFailure: {
    key: 'hook-failure',
    type: choiceType('closed', 'open'),
    default: 'closed',
    description: 'When an auth hook does not answer, or answers 5xx: closed: no one is accepted; open: everyone is',
  },
});
