/** What a client says for a URL: the application in `connect`, the name in `publish`. */
export interface Said {
  readonly app: string;
  readonly name: string;
}

/** A URL with ffmpeg's words for it, as seen with ffmpeg 5.1, and why ours are others, where they are. */
export interface UrlCase {
  readonly path: string;
  readonly ffmpeg: Said;
  readonly differs?: { readonly why: string; readonly ours: Said | 'refused' };
}

export const urlCases: readonly UrlCase[] = [
  { path: '/live2/abcd-efgh-ijkl-mnop-qrst', ffmpeg: { app: 'live2', name: 'abcd-efgh-ijkl-mnop-qrst' } },
  { path: '/live2/x?backup=1', ffmpeg: { app: 'live2', name: 'x?backup=1' } },
  {
    path: '/app/live_123456789_AbCdEfGhIjKlMnOpQrStUvWxYz',
    ffmpeg: { app: 'app', name: 'live_123456789_AbCdEfGhIjKlMnOpQrStUvWxYz' },
  },
  { path: '/app/live_1_a?bandwidthtest=true', ffmpeg: { app: 'app', name: 'live_1_a?bandwidthtest=true' } },
  {
    path: '/rtmp/FB-123-0-AbCd?s_bl=1&s_ps=1&s_sw=0&s_vt=api-s&a=AbxYz',
    ffmpeg: { app: 'rtmp', name: 'FB-123-0-AbCd?s_bl=1&s_ps=1&s_sw=0&s_vt=api-s&a=AbxYz' },
  },
  { path: '/live/cam', ffmpeg: { app: 'live', name: 'cam' } },
  { path: '/live/_definst_/cam', ffmpeg: { app: 'live/_definst_', name: 'cam' } },
  { path: '/live/_definst_/cam?doConnect=token', ffmpeg: { app: 'live/_definst_', name: 'cam?doConnect=token' } },
  { path: '/live?doConnect=token/cam', ffmpeg: { app: 'live?doConnect=token', name: 'cam' } },
  { path: '/live/cam?vhost=example.com', ffmpeg: { app: 'live', name: 'cam?vhost=example.com' } },
  { path: '/live?vhost=example.com/cam', ffmpeg: { app: 'live?vhost=example.com', name: 'cam' } },
  { path: '/live...vhost...example.com/cam', ffmpeg: { app: 'live...vhost...example.com', name: 'cam' } },
  { path: '/stream/cam', ffmpeg: { app: 'stream', name: 'cam' } },
  { path: '/stream/cam?user=u&pass=p', ffmpeg: { app: 'stream', name: 'cam?user=u&pass=p' } },
  { path: '/cam', ffmpeg: { app: 'cam', name: '' } },
  { path: '/cam?user=u&pass=p', ffmpeg: { app: 'cam?user=u&pass=p', name: '' } },
  { path: '/cam/', ffmpeg: { app: 'cam', name: '' } },
  {
    path: '/live/cam/',
    ffmpeg: { app: 'live/cam', name: '' },
    differs: {
      why: 'a slash at the end is a slip: the same path for servers that join the two, and right for all others',
      ours: { app: 'live', name: 'cam' },
    },
  },
  { path: '/EntryPoint/stream_1_500@123456', ffmpeg: { app: 'EntryPoint', name: 'stream_1_500@123456' } },
  { path: '/live/stream@123?auth=abc&aifp=v1', ffmpeg: { app: 'live', name: 'stream@123?auth=abc&aifp=v1' } },
  {
    path: '/live/1234567890abcdef1234567890abcdef/stream',
    ffmpeg: { app: 'live/1234567890abcdef1234567890abcdef', name: 'stream' },
  },
  { path: '/app/sk_us-west-2_AbCdEf_123456', ffmpeg: { app: 'app', name: 'sk_us-west-2_AbCdEf_123456' } },
  {
    path: '/app/3f2c1b0a-9d8e-7f6a-5b4c-3d2e1f0a9b8c',
    ffmpeg: { app: 'app', name: '3f2c1b0a-9d8e-7f6a-5b4c-3d2e1f0a9b8c' },
  },
  { path: '/live/re_1234567_abcdef', ffmpeg: { app: 'live', name: 're_1234567_abcdef' } },
  { path: '/play/live/cam', ffmpeg: { app: 'play/live', name: 'cam' } },
  { path: '/a/b/c/d', ffmpeg: { app: 'a/b', name: 'c/d' } },
  { path: '/a/b/c/d?x=y', ffmpeg: { app: 'a/b', name: 'c/d?x=y' } },
  { path: '/app/a/b/key?x=y', ffmpeg: { app: 'app/a', name: 'b/key?x=y' } },
  { path: '/live/mp4:clip', ffmpeg: { app: 'live', name: 'mp4:clip' } },
  { path: '/vod/mp4:dir/clip', ffmpeg: { app: 'vod', name: 'mp4:dir/clip' } },
  { path: '/live/inst/mp4:clip', ffmpeg: { app: 'live/inst', name: 'mp4:clip' } },
  { path: '/live/a:b/c', ffmpeg: { app: 'live', name: 'a:b/c' } },
  {
    path: '/live/cam?key=a/b',
    ffmpeg: { app: 'live/cam?key=a', name: 'b' },
    differs: {
      why: 'ffmpeg cuts a token in two; OBS and services mean it whole',
      ours: { app: 'live', name: 'cam?key=a/b' },
    },
  },
  {
    path: '/live/cam?key=a/b/c',
    ffmpeg: { app: 'live/cam?key=a', name: 'b/c' },
    differs: {
      why: 'ffmpeg cuts a token in two; OBS and services mean it whole',
      ours: { app: 'live', name: 'cam?key=a/b/c' },
    },
  },
  { path: '/live/inst/cam?key=a/b', ffmpeg: { app: 'live/inst', name: 'cam?key=a/b' } },
  { path: '/live/a%20b', ffmpeg: { app: 'live', name: 'a%20b' } },
  {
    path: '/live/a b',
    ffmpeg: { app: 'live', name: 'a' },
    differs: { why: 'ffmpeg ends the URL at a blank; OBS sends the key as it is', ours: { app: 'live', name: 'a b' } },
  },
  { path: '/live/a#b', ffmpeg: { app: 'live', name: 'a#b' } },
  { path: '/live/a\\b', ffmpeg: { app: 'live', name: 'a\\b' } },
  { path: '/live/a"b\'c', ffmpeg: { app: 'live', name: 'a"b\'c' } },
  { path: '/live/100%', ffmpeg: { app: 'live', name: '100%' } },
  { path: '/live/%zz', ffmpeg: { app: 'live', name: '%zz' } },
  { path: '/live/caméra', ffmpeg: { app: 'live', name: 'caméra' } },
  { path: '/live/ключ', ffmpeg: { app: 'live', name: 'ключ' } },
  { path: '/live/a+b=c&d', ffmpeg: { app: 'live', name: 'a+b=c&d' } },
  { path: '/live/a?b?c', ffmpeg: { app: 'live', name: 'a?b?c' } },
  { path: '/live/a;b=c', ffmpeg: { app: 'live', name: 'a;b=c' } },
  {
    path: '/live//cam',
    ffmpeg: { app: 'live/', name: 'cam' },
    differs: {
      why: "a doubled slash comes from joining a server's URL with a key",
      ours: { app: 'live', name: 'cam' },
    },
  },
  {
    path: '/live///cam',
    ffmpeg: { app: 'live/', name: '/cam' },
    differs: {
      why: "a doubled slash comes from joining a server's URL with a key",
      ours: { app: 'live', name: 'cam' },
    },
  },
  { path: '//cam', ffmpeg: { app: '', name: 'cam' }, differs: { why: 'there is no application', ours: 'refused' } },
  {
    path: '/live/cam.flv',
    ffmpeg: { app: 'live', name: 'cam' },
    differs: {
      why: 'a key is sent as it is, as OBS does; ffmpeg means files to play',
      ours: { app: 'live', name: 'cam.flv' },
    },
  },
  {
    path: '/live/cam.mp4',
    ffmpeg: { app: 'live', name: 'mp4:cam.mp4' },
    differs: {
      why: 'a key is sent as it is, as OBS does; ffmpeg means files to play',
      ours: { app: 'live', name: 'cam.mp4' },
    },
  },
  { path: '/live/CAM', ffmpeg: { app: 'live', name: 'CAM' } },
  { path: '/Live/Cam?Key=Value', ffmpeg: { app: 'Live', name: 'Cam?Key=Value' } },
  { path: '/live/cam?x=http://e.example/a', ffmpeg: { app: 'live', name: 'cam?x=http://e.example/a' } },
  { path: '/live/key?', ffmpeg: { app: 'live', name: 'key?' } },
  { path: '/live/?key=1', ffmpeg: { app: 'live', name: '?key=1' } },
  {
    path: '/x264/cam?token=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.AbC-dEf_123',
    ffmpeg: { app: 'x264', name: 'cam?token=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.AbC-dEf_123' },
  },
  {
    path: '/ondemand/a/b',
    ffmpeg: { app: 'ondemand', name: 'a/b' },
    differs: { why: "a special case of ffmpeg's for playing files", ours: { app: 'ondemand/a', name: 'b' } },
  },
  {
    path: '/live/stream/?k=v',
    ffmpeg: { app: 'live/stream', name: '?k=v' },
    differs: { why: 'a slash at the end is a slip', ours: { app: 'live', name: 'stream?k=v' } },
  },
];
