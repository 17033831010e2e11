/** How much state there is. */
export interface StateSize {
  readonly cameras: number;
  readonly pushesPerCamera: number;
  readonly engines: number;
}

const createdAt = '2026-01-01T00:00:00.000Z';

export function cameraName(index: number): string {
  return `camera-${String(index).padStart(5, '0')}`;
}

/**
 * The text of a state.json. Half of the pushes go to URLs of their own, half to engines. The first `live` cameras have no
 * pushes: what they send is not what is measured here.
 */
export function stateText({ cameras, pushesPerCamera, engines }: StateSize, live: number): string {
  const engineEntries = Array.from({ length: engines }, (_, index) => [
    `engine-${index}`,
    {
      createdAt,
      host: `127.0.2.${index + 1}`,
      location: `hall ${index}`,
      playbackUrl: 'http://{host}:80/hls/{name}.m3u8',
      pushUrl: 'rtmp://{host}:1/live/{name}',
    },
  ]);
  const cameraEntries = Array.from({ length: cameras }, (_, index) => {
    const name = cameraName(index);
    const count = index < live ? 0 : pushesPerCamera;
    const pushes = Array.from({ length: count }, (_, push) => {
      const target =
        push % 2 === 0 || engines === 0
          ? { url: `rtmp://127.0.1.${push + 1}:1/live/${name}?key=0123456789abcdef` }
          : { engine: `engine-${(index + push) % engines}` };
      return [`push-${push}`, { createdAt, enabled: true, ...target }];
    });
    return [name, { createdAt, pushes: Object.fromEntries(pushes), type: 'plane' }];
  });
  const state = { version: 1, cameras: Object.fromEntries(cameraEntries), engines: Object.fromEntries(engineEntries) };
  return `${JSON.stringify(state, null, 2)}\n`;
}
