import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

// "SWITCHBOARD=http://127.0.0.1:8081 TOKEN=$(cat DATA/token) npm run dev" develops against a server that runs there.
const server = process.env.SWITCHBOARD ?? 'http://127.0.0.1:8081';
const headers = { Authorization: 'Bearer ' + (process.env.TOKEN ?? '') };

export default defineConfig({
  plugins: [svelte()],
  build: {
    outDir: '../web/console',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: { proxy: { '/api': { target: server, ws: true, headers } } },
});
