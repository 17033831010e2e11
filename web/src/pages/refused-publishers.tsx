import type { RefusedPublisherView } from '../api/types.js';
import { setQuery } from '../router.js';
import { refused } from '../state/refused.js';
import { mayOperate } from '../state/store.js';
import { count, plural } from '../ui/format.js';
import { WarnIcon } from '../ui/icons.js';
import { Since } from '../ui/parts.js';

/** More than these are not shown: the newest are what one looks for. */
const maxShown = 20;

/** Who was not let in as a publisher, folded: for whoever misses a camera. */
export function RefusedPublishers() {
  const all = refused.value;
  if (all.length === 0) return null;
  return (
    <details class="refused">
      <summary>
        <WarnIcon />
        {plural(all.length, 'publisher was refused', 'publishers were refused')}
      </summary>
      <ul>
        {all.slice(0, maxShown).map((each) => (
          <li key={`${each.address} ${each.code} ${each.name}`}>
            <Entry entry={each} />
          </li>
        ))}
      </ul>
      {all.length > maxShown && <p class="muted small">and {count(all.length - maxShown)} more</p>}
    </details>
  );
}

function Entry({ entry }: { entry: RefusedPublisherView }) {
  const { address, name, message, code, encoder, lastAt, registerable } = entry;
  return (
    <div class="refused-entry">
      <div>
        <p>
          <strong class="mono">{name === '' ? '(no name)' : name}</strong> from <span class="mono">{address}</span>
          <span class="muted small">
            {' '}
            {entry.count > 1 && `${count(entry.count)} times, `}last <Since iso={lastAt} /> ago
            {encoder !== '' && ` · ${encoder}`}
          </span>
        </p>
        <p class="small">
          {message} <code class="code">{code}</code>
        </p>
      </div>
      {registerable && mayOperate.value && (
        <button
          type="button"
          class="button small"
          aria-label={`Register ${name}`}
          onClick={() => setQuery('register', name)}
        >
          Register it
        </button>
      )}
    </div>
  );
}
