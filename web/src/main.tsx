import "./styles/index.css";

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { App } from "./app/App.tsx";
import { ClientContext } from "./app/client.ts";
import { CrashGuard } from "./app/CrashGuard.tsx";
import { followViewport } from "./app/screen.ts";
import { applyTheme } from "./app/theme.ts";
import { createClient } from "./core/index.ts";
import { startLanguage } from "./i18n/index.ts";

async function start(root: HTMLElement): Promise<void> {
  applyTheme();
  followViewport();
  const client = createClient();
  await startLanguage();
  createRoot(root).render(
    <StrictMode>
      <CrashGuard>
        <ClientContext value={client}>
          <App />
        </ClientContext>
      </CrashGuard>
    </StrictMode>,
  );
}

const root = document.getElementById("root");
if (root) void start(root);
