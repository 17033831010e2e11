import { effect, signal } from '@preact/signals';

export type Theme = 'auto' | 'light' | 'dark';

const key = 'media-aggregator.theme';

function stored(): Theme {
  const value = localStorage.getItem(key);
  return value === 'light' || value === 'dark' ? value : 'auto';
}

export const theme = signal<Theme>(stored());

const systemIsDark = matchMedia('(prefers-color-scheme: dark)');
/** What is shown: follows the system unless somebody chose. */
export const shownTheme = signal<'light' | 'dark'>('light');

/** Keeps the page in the theme that was chosen. */
export function followTheme(): void {
  const apply = () => {
    const dark = theme.value === 'dark' || (theme.value === 'auto' && systemIsDark.matches);
    shownTheme.value = dark ? 'dark' : 'light';
    document.documentElement.dataset.theme = shownTheme.value;
  };
  systemIsDark.addEventListener('change', apply);
  effect(() => {
    if (theme.value === 'auto') localStorage.removeItem(key);
    else localStorage.setItem(key, theme.value);
    apply();
  });
}
