import { render } from 'preact';

const root = document.getElementById('app');
if (root !== null) render(<h1>media aggregator</h1>, root);
