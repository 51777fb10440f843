/// <reference lib="webworker" />
// Caches the app shell, so that WebChat opens offline. User data is never stored here: the core has its own database,
// which it clears at sign-out.
import { cleanupOutdatedCaches, createHandlerBoundToURL, precacheAndRoute } from "workbox-precaching";
import type { PrecacheEntry } from "workbox-precaching";
import { NavigationRoute, registerRoute } from "workbox-routing";
import { CacheFirst } from "workbox-strategies";

declare const self: ServiceWorkerGlobalScope & { __WB_MANIFEST: (PrecacheEntry | string)[] };

const ELSEWHERE = [/^\/(?:api|docs|errors)(?:\/|$)/, /^\/(?:openapi|asyncapi)\.json$/];

precacheAndRoute(self.__WB_MANIFEST);
cleanupOutdatedCaches();
registerRoute(new NavigationRoute(createHandlerBoundToURL("/index.html"), { denylist: ELSEWHERE }));

// Files that are too large or rarely needed to precache, such as emoji. Their names change with their content.
registerRoute(
  ({ url, sameOrigin }) => sameOrigin && url.pathname.startsWith("/assets/"),
  new CacheFirst({ cacheName: "assets" }),
);

self.addEventListener("message", (event) => {
  if (event.data === "take over") void self.skipWaiting();
});

self.addEventListener("activate", (event) => {
  event.waitUntil(self.clients.claim());
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(show(roomAddress(event.notification.data)));
});

function roomAddress(data: unknown): string {
  const path = typeof data === "object" && data !== null && "path" in data ? data.path : undefined;
  return typeof path === "string" && path.startsWith("/") ? path : "/";
}

/** Focus an open tab, or open one. */
async function show(path: string): Promise<void> {
  const tabs = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const tab = tabs[0];
  if (tab === undefined) {
    await self.clients.openWindow(path);
    return;
  }
  await tab.focus();
  tab.postMessage({ open: path });
}
