import { link } from '../router.js';
import { Access } from './settings/access.js';
import { Configuration } from './settings/configuration.js';
import { Engines } from './settings/engines.js';

const tabs = [
  { id: 'engines', label: 'Engines' },
  { id: 'access', label: 'Access' },
  { id: 'configuration', label: 'Configuration' },
] as const;

export function Settings({ tab }: { tab: string }) {
  const current = tabs.find(({ id }) => id === tab)?.id ?? 'engines';
  return (
    <>
      <div class="page-head">
        <h1>Settings</h1>
      </div>
      <nav class="tabs" aria-label="Settings">
        {tabs.map(({ id, label }) => (
          <a key={id} href={link('settings', id)} aria-current={id === current ? 'page' : undefined}>
            {label}
          </a>
        ))}
      </nav>
      {current === 'engines' && <Engines />}
      {current === 'access' && <Access />}
      {current === 'configuration' && <Configuration />}
    </>
  );
}
