/* global Hls, document, location, fetch, setInterval, HTMLVideoElement */

/** Lists what is live, and plays the stream that the address names (`/?NAME`), or the first one. */
const video = document.getElementById('video');
const state = document.getElementById('state');
const list = document.getElementById('streams');
const refreshMs = 3000;
let playing = '';

function play(name) {
  if (name === playing) return;
  playing = name;
  const url = `hls/${encodeURIComponent(name)}.m3u8`;
  state.textContent = `Playing ${name}`;
  if (Hls.isSupported()) {
    const hls = new Hls({ liveSyncDurationCount: 2 });
    hls.on(Hls.Events.ERROR, (_, error) => {
      if (!error.fatal) return;
      state.textContent = `${name}: ${error.details}; trying again`;
      hls.destroy();
      playing = '';
    });
    hls.loadSource(url);
    hls.attachMedia(video);
  } else {
    // Safari plays HLS by itself.
    video.src = url;
  }
  video.play().catch(() => {
    state.textContent = `${name} is ready; press play`;
  });
}

async function refresh() {
  const entries = await (await fetch('hls/', { cache: 'no-store' })).json();
  const names = entries
    .map((entry) => entry.name)
    .filter((name) => name.endsWith('.m3u8'))
    .map((name) => name.slice(0, -'.m3u8'.length));
  const wanted = decodeURIComponent(location.search.slice(1)) || names[0];
  list.replaceChildren(
    ...names.map((name) => {
      const link = document.createElement('a');
      link.href = `?${encodeURIComponent(name)}`;
      link.textContent = name;
      if (name === wanted) link.setAttribute('aria-current', 'page');
      return link;
    }),
  );
  if (names.includes(wanted)) play(wanted);
  else state.textContent = wanted ? `${wanted} is not live` : 'Nothing is live';
}

function tick() {
  refresh().catch((error) => {
    state.textContent = `The engine does not answer: ${error.message}`;
  });
}

setInterval(tick, refreshMs);
tick();
