/** `1.24 Mbit/s`; a dash for what is not known. */
export function bitrate(bps: number | null | undefined): string {
  if (bps === null || bps === undefined) return '–';
  if (bps >= 1e9) return `${digits(bps / 1e9)} Gbit/s`;
  if (bps >= 1e6) return `${digits(bps / 1e6)} Mbit/s`;
  return `${Math.round(bps / 1e3)} kbit/s`;
}

export function bytes(count: number | null | undefined): string {
  if (count === null || count === undefined) return '–';
  if (count >= 1 << 30) return `${digits(count / (1 << 30))} GB`;
  if (count >= 1 << 20) return `${digits(count / (1 << 20))} MB`;
  if (count >= 1 << 10) return `${Math.round(count / (1 << 10))} KB`;
  return `${count} B`;
}

function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

export function count(value: number | null | undefined): string {
  return value === null || value === undefined ? '–' : value.toLocaleString('en');
}

export function milliseconds(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–';
  return value >= 1000 ? `${(value / 1000).toFixed(1)} s` : `${Math.round(value)} ms`;
}

/** `8 s`, `3 min`, `2 h 05 min`, `4 d 3 h`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${String(minutes % 60).padStart(2, '0')} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export function clock(iso: string): string {
  return new Date(iso).toLocaleTimeString('en-GB');
}

/** To the minute. */
export function dateTime(iso: string): string {
  return `${new Date(iso).toLocaleDateString('en-CA')} ${clock(iso).slice(0, 5)}`;
}

const codecNames: Readonly<Record<string, string>> = {
  h264: 'H.264',
  hevc: 'HEVC',
  av1: 'AV1',
  vp9: 'VP9',
  vp8: 'VP8',
  vvc: 'VVC',
  jpeg: 'JPEG',
  h263: 'H.263',
  screen: 'Screen Video',
  screen2: 'Screen Video 2',
  vp6: 'VP6',
  vp6a: 'VP6 with alpha',
  aac: 'AAC',
  mp3: 'MP3',
  opus: 'Opus',
  flac: 'FLAC',
  ac3: 'AC-3',
  eac3: 'E-AC-3',
  g711a: 'G.711 A-law',
  g711u: 'G.711 mu-law',
  speex: 'Speex',
  pcm: 'PCM',
  adpcm: 'ADPCM',
  nellymoser: 'Nellymoser',
};

export function codec(name: string | null | undefined): string {
  return name === null || name === undefined ? '–' : (codecNames[name] ?? name);
}

/** `1 camera`, `2 pushes`. @param many default: `one` with an s */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}
