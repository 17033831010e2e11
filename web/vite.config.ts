import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { defineConfig, type Plugin } from 'vite';

const outDir = fileURLToPath(new URL('../dist/web', import.meta.url));

/** Lays a `.br` and a `.gz` beside each text, so that serving costs no compression. */
function precompress(): Plugin {
  return {
    name: 'precompress',
    apply: 'build',
    closeBundle() {
      for (const entry of readdirSync(outDir, { withFileTypes: true, recursive: true })) {
        if (!entry.isFile() || !/\.(?:html|js|css|svg)$/.test(entry.name)) continue;
        const file = join(entry.parentPath ?? entry.path, entry.name);
        const content = readFileSync(file);
        writeFileSync(`${file}.br`, brotliCompressSync(content));
        writeFileSync(`${file}.gz`, gzipSync(content, { level: 9 }));
      }
    },
  };
}

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  // Also behind a proxy that serves it under a path.
  base: './',
  plugins: [precompress()],
  server: {
    // `npm run dev:web` shows changes at once; the API is that of an aggregator on this machine.
    proxy: {
      '/v1': process.env.MEDIA_AGGREGATOR_API ?? 'http://127.0.0.1:5000',
      '/live': { target: process.env.MEDIA_AGGREGATOR_API ?? 'http://127.0.0.1:5000', ws: true },
    },
  },
  build: {
    outDir,
    emptyOutDir: true,
    target: 'es2022',
    // What is inlined as data: would need a weaker content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // The player is loaded only when somebody looks at a camera; its size is no news.
    chunkSizeWarningLimit: 400,
    reportCompressedSize: false,
  },
});
