/**
 * What becomes of each directive of the RTMP module (1.2.2) and its relatives, where no camera or push follows from it.
 * `covered`: the aggregator does the same, or what it stands for, by itself. `left-out`: what it did is lost.
 */
export interface DirectiveFate {
  readonly outcome: 'covered' | 'left-out';
  readonly reason: string;
}

const covered = (reason: string): DirectiveFate => ({ outcome: 'covered', reason });
const leftOut = (reason: string): DirectiveFate => ({ outcome: 'left-out', reason });

const isOff = (args: readonly string[]): boolean => args.length === 1 && args[0]?.toLowerCase() === 'off';

type Rule = DirectiveFate | ((args: readonly string[]) => DirectiveFate);

/** For directives that are harmless where they say "off". */
function unlessOff(fate: DirectiveFate): Rule {
  return (args) => (isOff(args) ? covered('it is off, as here') : fate);
}

const rules = new Map<string, Rule>();

function rule(names: string, fate: Rule): void {
  for (const name of names.split(' ')) rules.set(name, fate);
}

// Transport: the aggregator has its own ways, and settings for some of them.
rule('chunk_size', covered('chunks have the size of --out-chunk-bytes; every size is understood'));
rule('max_message', covered('the largest message is that of --max-message-bytes'));
rule('timeout', covered('silent peers are closed after --idle-timeout and --stall-timeout'));
rule('max_streams', covered('each connection has one stream; --max-chunk-streams limits the rest'));
rule('max_connections', leftOut('connections are limited by --max-connections and --max-connections-per-address'));
rule('out_queue out_cork busy', covered('queues to slow targets and viewers are limited by --queue-max-bytes'));
rule('ping ping_timeout ack_window', covered('pings and acknowledgements are the aggregator’s own affair'));
rule('so_keepalive', covered('dead connections are found without it'));
rule('play_time_fix publish_time_fix', covered('timestamps pass through as they come'));
rule('buflen buffer stream_buckets', covered('buffers are the aggregator’s own affair'));
rule('proxy_protocol', leftOut('the proxy protocol is not understood'));
rule('worker_socket rtmp_socket_dir', covered('there are no workers that must find each other'));
rule(
  'rtmp_auto_push rtmp_auto_push_reconnect',
  unlessOff(covered('every camera is known to the whole aggregator without it')),
);

// Live streams.
rule('meta', (args) =>
  isOff(args)
    ? leftOut('metadata is passed on to targets and viewers here')
    : covered('metadata is passed on as the camera sends it'),
);
rule('interleave', covered('audio and video are sent in the order in which they came'));
rule('wait_key wait_video', covered('targets and viewers begin with a key frame'));
rule('sync', covered('timestamps are not changed'));
rule('publish_notify play_restart', unlessOff(leftOut('viewers are not told when a camera comes and goes')));
rule('drop_idle_publisher', covered('silent cameras are closed after --idle-timeout'));
rule('idle_streams', (args) =>
  isOff(args) ? leftOut('viewers may wait for a camera that is not live') : covered('viewers may wait for a camera'),
);

// Relaying.
rule('push_reconnect', covered('pushes are tried again between --push-retry-min and --push-retry-max'));
rule('pull', leftOut('cameras publish here; nothing is fetched from elsewhere'));
rule('pull_reconnect', leftOut('it belongs to "pull", which has no counterpart'));
rule('session_relay relay_buffer', covered('each push has a connection and a queue of its own'));

// Files.
const noFiles = 'nothing is recorded to files';
rule('record', unlessOff(leftOut(noFiles)));
rule(
  'record_path record_suffix record_unique record_append record_lock record_max_size record_max_frames ' +
    'record_interval record_notify recorder',
  leftOut(noFiles),
);
rule('play play_temp_path play_local_path', leftOut('no files are played'));

// Other protocols.
const noHttpMedia = 'the aggregator serves no HLS and no DASH; a streaming engine behind a push does';
rule('hls dash', unlessOff(leftOut(noHttpMedia)));
rule(
  'hls_path hls_fragment hls_max_fragment hls_playlist_length hls_muxdelay hls_sync hls_continuous hls_nested ' +
    'hls_fragment_naming hls_fragment_slicing hls_fragment_naming_granularity hls_type hls_max_audio_delay ' +
    'hls_audio_buffer_size hls_cleanup hls_variant hls_base_url hls_keys hls_key_path hls_key_url ' +
    'hls_fragments_per_key dash_path dash_fragment dash_playlist_length dash_nested dash_cleanup',
  leftOut(noHttpMedia),
);

// Programs and calls.
const noPrograms = 'the aggregator runs no programs';
rule(
  'exec exec_push exec_pull exec_play exec_play_done exec_publish exec_publish_done exec_record_done exec_static ' +
    'exec_options exec_kill_signal exec_kill_timeout respawn respawn_timeout',
  leftOut(noPrograms),
);
const noCalls = 'nobody is called when a camera or a viewer comes or goes';
rule(
  'on_connect on_play on_publish on_play_done on_publish_done on_record_done on_disconnect on_done on_update ' +
    'notify_update_timeout notify_update_strict notify_relay_redirect notify_method netcall_timeout netcall_buffer',
  leftOut(noCalls),
);
rule(
  'access_log',
  unlessOff(leftOut('there is no access log; publishers and viewers are in the log of the aggregator')),
);
rule('log_format', leftOut('there is no access log'));

// Access. What restricts keeps a whole application from being taken; see plan.ts.
rule('allow', covered('everybody may, unless something else forbids it'));
rule('deny', leftOut('there are no rules of access by address'));

// In the http block.
rule('rtmp_stat rtmp_stat_stylesheet', covered('statistics are those of /stats and /v1/cameras'));
rule('rtmp_control', leftOut('cameras are controlled through /v1'));

/** What becomes of a directive; undefined for one that the module does not have. */
export function fateOf(name: string, args: readonly string[]): DirectiveFate | undefined {
  const found = rules.get(name);
  return typeof found === 'function' ? found(args) : found;
}

/** All names, for tests. */
export const knownDirectives: readonly string[] = [...rules.keys()];

/**
 * Whether a directive keeps somebody from publishing, playing or connecting, or asks somebody else whether they may.
 * `deny play` counts too: here everybody may play.
 */
export function restrictsAccess(name: string): boolean {
  return name === 'deny' || name === 'on_connect' || name === 'on_publish' || name === 'on_play';
}
