import { resolve } from "node:path";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";
import { brotli } from "./build/brotli.ts";

// The salon that `npm run dev` talks to. It checks the Origin of every request, so the proxy speaks in its name.
const server = process.env["SALON_URL"] ?? "http://127.0.0.1:8080";
const proxied = { target: server, changeOrigin: true, headers: { origin: server } };

export default defineConfig({
  plugins: [svelte(), brotli()],
  build: {
    outDir: resolve(process.env["SALON_UI_OUT"] ?? "dist"),
    emptyOutDir: true,
    target: "es2022",
    // A data: URL or an inline script would need holes in the content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: {
    proxy: {
      "/api": proxied,
      "/ws": { ...proxied, ws: true, rewriteWsOrigin: true },
    },
  },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
