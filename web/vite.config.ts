import { defineConfig } from 'vitest/config';

// The page runs under a policy without inline script or style, so nothing may be inlined into it:
// no module-preload polyfill, no data: assets, and the worker is a hashed file of its own.
export default defineConfig({
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  worker: { format: 'es' },
  build: {
    target: 'es2023',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
    sourcemap: false,
  },
  server: { host: '127.0.0.1', strictPort: true },
  test: {
    environment: 'node',
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
  },
});
