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
if (root !== null) render(<App />, root);
