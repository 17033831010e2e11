import { render } from 'preact';
import { App } from './app.js';
import { follow } from './state/feed.js';
import { followTheme } from './state/theme.js';
import './styles/base.css';
import './styles/parts.css';
import './styles/pages.css';

followTheme();
follow();
const root = document.getElementById('app');
// What stands there until now is for a browser that cannot load this.
root?.replaceChildren();
if (root !== null) render(<App />, root);
