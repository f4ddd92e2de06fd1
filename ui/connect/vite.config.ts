import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

/** Where `npm run dev` finds a running platform. */
const PLATFORM = 'http://127.0.0.1:3003';
const PATHS = [
  'connect',
  'integrations',
  'providers',
  'oauth',
  'oauth2',
  'auth',
  'api-auth',
  'app-auth',
  'images',
];

export default defineConfig({
  base: './', // relative: the server may publish the page under any path
  plugins: [react()],
  build: {
    outDir: '../../src/dragoman_server/ui_dist/connect',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0, // the content security policy allows no data: addresses
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
    license: { fileName: 'licenses.txt' }, // whose code the bundle holds
    rollupOptions: { input: { index: 'index.html', popup: 'popup.html' } },
  },
  server: {
    proxy: {
      ...Object.fromEntries(PATHS.map((path) => [`^/${path}(/|\\?|$)`, { target: PLATFORM }])),
      '^/$': {
        target: PLATFORM,
        ws: true,
        bypass: (request) => (request.headers.upgrade ? null : request.url),
      },
    },
  },
  test: { environment: 'node', pool: 'threads', isolate: false, include: ['src/**/*.test.ts'] },
});
