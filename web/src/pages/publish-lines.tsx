import { useId } from 'preact/hooks';
import { route, setQuery } from '../router.js';
import { Copyable } from '../ui/parts.js';

/** Where a camera publishes to, in the two halves that encoders ask for. */
interface Endpoint {
  readonly url: string;
  readonly server: string;
  readonly key: string;
}

function splitEndpoint(url: string): Endpoint {
  const query = url.indexOf('?');
  const cut = url.lastIndexOf('/', query === -1 ? url.length : query);
  return { url, server: url.slice(0, cut), key: url.slice(cut + 1) };
}

/** For a POSIX shell. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function ffmpegLine(url: string): string {
  return [
    'ffmpeg -re -f lavfi -i testsrc2=size=1280x720:rate=25 -f lavfi -i sine \\',
    '  -c:v libx264 -preset veryfast -tune zerolatency -pix_fmt yuv420p -g 50 \\',
    '  -c:a aac \\',
    `  -f flv ${quoted(url)}`,
  ].join('\n');
}

function ffmpegFileLine(url: string): string {
  return `ffmpeg -re -stream_loop -1 -i INPUT.mp4 -c copy \\\n  -f flv ${quoted(url)}`;
}

function gstreamerLine(url: string): string {
  return [
    'gst-launch-1.0 flvmux name=mux streamable=true ! \\',
    `  rtmp2sink location=${quoted(url)} \\`,
    '  videotestsrc is-live=true ! video/x-raw,width=1280,height=720,framerate=25/1 ! \\',
    '  x264enc tune=zerolatency key-int-max=50 bitrate=2000 ! h264parse ! mux. \\',
    '  audiotestsrc is-live=true ! audioconvert ! avenc_aac ! aacparse ! mux.',
  ].join('\n');
}

const tabs = [
  { id: 'ffmpeg', label: 'ffmpeg' },
  { id: 'obs', label: 'OBS' },
  { id: 'gstreamer', label: 'GStreamer' },
  { id: 'camera', label: 'A camera' },
] as const;

/** Ready lines for what people publish with. */
export function PublishLines({ endpoint: url }: { endpoint: string }) {
  const base = useId();
  const wanted = route.value.query.get('with');
  const current = tabs.find(({ id }) => id === wanted)?.id ?? 'ffmpeg';
  const { server, key } = splitEndpoint(url);
  const move = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (step === 0) return;
    const index = tabs.findIndex(({ id }) => id === current);
    const next = tabs[(index + step + tabs.length) % tabs.length];
    if (next === undefined) return;
    setQuery('with', next.id);
    document.getElementById(`${base}-${next.id}`)?.focus();
  };
  return (
    <div class="publish-lines">
      <div class="tabs" role="tablist" aria-label="Publish with" onKeyDown={move}>
        {tabs.map(({ id, label }) => (
          <button
            key={id}
            id={`${base}-${id}`}
            type="button"
            role="tab"
            aria-selected={id === current}
            aria-controls={`${base}-panel`}
            tabIndex={id === current ? 0 : -1}
            onClick={() => setQuery('with', id)}
          >
            {label}
          </button>
        ))}
      </div>
      <div id={`${base}-panel`} role="tabpanel" aria-labelledby={`${base}-${current}`} class="tab-panel">
        {current === 'ffmpeg' && (
          <>
            <p class="label">A test picture with a tone</p>
            <Copyable text={ffmpegLine(url)} label="ffmpeg line for a test picture" multiline />
            <p class="label">A file, as it is</p>
            <Copyable text={ffmpegFileLine(url)} label="ffmpeg line for a file" multiline />
          </>
        )}
        {current === 'obs' && (
          <>
            <p class="hint">Settings → Stream → Service “Custom…”. Output → keyframe interval 2 s.</p>
            <p class="label">Server</p>
            <Copyable text={server} label="server for OBS" />
            <p class="label">Stream key</p>
            <Copyable text={key} label="stream key for OBS" />
          </>
        )}
        {current === 'gstreamer' && <Copyable text={gstreamerLine(url)} label="GStreamer line" multiline />}
        {current === 'camera' && (
          <>
            <p class="hint">Cameras and hardware encoders ask for one address, or for server and key as OBS does.</p>
            <p class="label">RTMP address</p>
            <Copyable text={url} label="RTMP address" />
          </>
        )}
      </div>
    </div>
  );
}
