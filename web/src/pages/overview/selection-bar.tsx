import { useSignal } from '@preact/signals';
import { selected, setSelected } from '../../state/selection.js';
import { cameras } from '../../state/store.js';
import { plural } from '../../ui/format.js';
import { ManyDialog, type ManyKind } from './many-dialog.js';
import { byName } from './orders.js';

const kinds: readonly { readonly kind: ManyKind; readonly label: string; readonly danger?: boolean }[] = [
  { kind: 'retry', label: 'Retry pushes' },
  { kind: 'enable', label: 'Enable pushes' },
  { kind: 'disable', label: 'Disable pushes' },
  { kind: 'remove-pushes', label: 'Remove pushes', danger: true },
  { kind: 'remove-cameras', label: 'Remove cameras', danger: true },
];

/** What can be done with the selected cameras; each is asked once more. */
export function SelectionBar() {
  const asked = useSignal<ManyKind | null>(null);
  const count = selected.value.size;
  const entries = [...selected.value].flatMap((name) => cameras.value.get(name) ?? []).sort(byName);
  const views = entries.map(({ view }) => view.value);
  return (
    <>
      <div class={`selection-bar${count === 0 ? ' none' : ''}`}>
        <span role="status">{count === 0 ? '' : `${plural(count, 'camera')} selected`}</span>
        {count > 0 && (
          <>
            {kinds.map(({ kind, label, danger }) => (
              <button
                key={kind}
                type="button"
                class={`button small${danger === true ? ' danger' : ''}`}
                onClick={() => {
                  asked.value = kind;
                }}
              >
                {label} …
              </button>
            ))}
            <button type="button" class="button small" onClick={() => setSelected([])}>
              Clear the selection
            </button>
          </>
        )}
      </div>
      {asked.value !== null && (
        <ManyDialog
          kind={asked.value}
          views={views}
          onClose={() => {
            asked.value = null;
          }}
        />
      )}
    </>
  );
}
