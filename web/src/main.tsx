import "./styles/index.css";

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { App } from "./app/App.tsx";
import { ClientContext } from "./app/client.ts";
import { ErrorBoundary } from "./app/ErrorBoundary.tsx";
import { trackViewport } from "./app/screen.ts";
import { toast } from "./app/overlay.ts";
import { applyTheme } from "./app/theme.ts";
import { createClient } from "./core/index.ts";
import { currentTexts, startLanguage } from "./i18n/index.ts";
import { watchForUpdates, type Update } from "./install/serviceWorker.ts";

async function start(root: HTMLElement): Promise<void> {
  applyTheme();
  trackViewport();
  const client = createClient();
  await startLanguage();
  createRoot(root).render(
    <StrictMode>
      <ErrorBoundary>
        <ClientContext value={client}>
          <App />
        </ClientContext>
      </ErrorBoundary>
    </StrictMode>,
  );
  if (import.meta.env.PROD) await watch();
}

async function watch(): Promise<void> {
  try {
    await watchForUpdates(offer);
  } catch {
    // Without service workers, as in some private windows, the client works, but not offline.
  }
}

function offer({ apply }: Update): void {
  const { update } = currentTexts();
  toast(update.ready, { label: update.load, run: apply }, true);
}

const root = document.getElementById("root");
if (root) void start(root);
