import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

import { delivery } from "./vite.delivery.ts";

// `npm run dev` forwards the API to a running WebChat, with the Origin that its nginx expects.
const server = process.env["WEBCHAT_URL"] ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [react(), ...delivery()],
  build: { target: "es2022", sourcemap: false, assetsInlineLimit: 0, reportCompressedSize: false },
  server: {
    proxy: { "/api": { target: server, changeOrigin: true, ws: true, headers: { Origin: server } } },
  },
  test: { include: ["tests/**/*.test.{ts,tsx}"], environment: "node" },
});
