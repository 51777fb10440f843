// The interface of the core to its environment. Only this file uses the browser's globals.
import type { Schedule } from "./store.ts";

/** The subset of `Storage` that the core uses. */
export interface TextStorage {
  getItem: (key: string) => string | null;
  setItem: (key: string, value: string) => void;
  removeItem: (key: string) => void;
  key: (index: number) => string | null;
  readonly length: number;
}

export interface BrowserEvents {
  wake: () => void;
  networkChanged: (online: boolean) => void;
  /** The tab may be closed after this. It is the last chance to store something. */
  hidden: () => void;
  /** Another tab changed the text storage. */
  storageChanged: (key: string | null) => void;
}

export interface Platform {
  /** The prefix of API paths; empty in a browser. */
  origin: string;
  fetch: typeof fetch;
  openSocket: () => WebSocket;
  now: () => number;
  random: () => number;
  schedule: Schedule;
  storage: TextStorage | null;
  channel: (name: string) => BroadcastChannel | null;
  locks: LockManager | null;
  /** Start to listen. The returned function stops it. */
  listen: (handlers: BrowserEvents) => () => void;
}

export function browserPlatform(): Platform {
  return {
    origin: "",
    fetch: (input, init) => fetch(input, init),
    openSocket: () => new WebSocket(`${location.origin.replace(/^http/, "ws")}/api/chat/ws`, "webchat.v1"),
    now: () => Date.now(),
    random: () => Math.random(),
    schedule: nextFrame,
    storage: textStorage(),
    channel: (name) => ("BroadcastChannel" in globalThis ? new BroadcastChannel(name) : null),
    locks: lockManager(),
    listen: listen,
  };
}

/** Run on the next animation frame. A hidden tab has none, so a timer replaces it. */
function nextFrame(flush: () => void): void {
  if (document.visibilityState === "hidden") {
    setTimeout(flush, 0);
    return;
  }
  let done = false;
  const once = (): void => {
    if (done) return;
    done = true;
    clearTimeout(timer);
    flush();
  };
  const timer = setTimeout(once, 100);
  requestAnimationFrame(once);
}

/** Return null in an insecure context, which has no locks. */
function lockManager(): LockManager | null {
  return (navigator as { locks?: LockManager }).locks ?? null;
}

function textStorage(): TextStorage | null {
  try {
    return localStorage;
  } catch {
    return null; // The browser settings forbid storage.
  }
}

function listen(handlers: BrowserEvents): () => void {
  const ended = new AbortController();
  const { signal } = ended;
  const shown = (): void => (document.visibilityState === "visible" ? handlers.wake() : handlers.hidden());
  document.addEventListener("visibilitychange", shown, { signal });
  addEventListener("pageshow", () => handlers.wake(), { signal });
  addEventListener("pagehide", () => handlers.hidden(), { signal });
  addEventListener("online", () => handlers.networkChanged(true), { signal });
  addEventListener("offline", () => handlers.networkChanged(false), { signal });
  addEventListener("storage", (event) => handlers.storageChanged(event.key), { signal });
  if (!navigator.onLine) handlers.networkChanged(false);
  return () => ended.abort();
}
