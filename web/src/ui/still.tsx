import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { whyNoPicture } from '../media/playable.js';
import { keptStill, loadStill } from '../media/still.js';
import { NoPictureIcon } from './icons.js';

const refreshMs = 10_000;
/** Whoever scrolls past is not worth a picture. */
const settleMs = 200;

/** The last key frame of a camera; of one that is not live, the last that there was, paled. */
export function Still(props: { name: string; live: boolean; wasLive: boolean; videoCodec: string | null }) {
  const { name, live, wasLive, videoCodec } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const shown = useSignal(keptStill(name) !== undefined);

  const draw = (picture: ImageBitmap | undefined) => {
    const element = canvas.current;
    if (element === null || picture === undefined) return;
    element.width = picture.width;
    element.height = picture.height;
    element.getContext('2d')?.drawImage(picture, 0, 0);
    shown.value = true;
  };

  useEffect(() => {
    draw(keptStill(name));
    // What is not live has one picture at most, and what never was has none.
    if (live ? videoCodec === null : !wasLive || shown.peek()) return;
    const ended = new AbortController();
    const load = async () => {
      if (!document.hidden) draw(await loadStill(name, videoCodec, ended.signal));
      if (live && !ended.signal.aborted)
        timer = setTimeout(() => void load(), shown.peek() ? refreshMs : refreshMs / 5);
    };
    let timer = setTimeout(() => void load(), settleMs);
    return () => {
      clearTimeout(timer);
      ended.abort();
    };
  }, [name, live, wasLive, videoCodec]);

  return (
    <span class={`still${live ? '' : ' old'}`} aria-hidden="true">
      {!shown.value && (
        <span class="still-none">
          <NoPictureIcon />
          {live && videoCodec !== null && <small>{whyNoPicture(videoCodec)}</small>}
        </span>
      )}
      <canvas ref={canvas} />
    </span>
  );
}
