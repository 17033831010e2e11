import { NoPictureIcon } from './icons.js';

/** The last key frame of a camera. */
export function Still({ name: _name, live: _live }: { name: string; live: boolean }) {
  return (
    <span class="still">
      <NoPictureIcon />
    </span>
  );
}
