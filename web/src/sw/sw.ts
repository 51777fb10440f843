/// <reference lib="webworker" />
// The shell, kept so that WebChat opens without a network. What people wrote is never kept here: the state core has a
// store of its own, which it clears when its person signs out.
import { cleanupOutdatedCaches, createHandlerBoundToURL, precacheAndRoute } from "workbox-precaching";
import type { PrecacheEntry } from "workbox-precaching";
import { NavigationRoute, registerRoute } from "workbox-routing";
import { CacheFirst } from "workbox-strategies";

declare const self: ServiceWorkerGlobalScope & { __WB_MANIFEST: (PrecacheEntry | string)[] };

const ELSEWHERE = [/^\/(?:api|docs|errors)(?:\/|$)/, /^\/(?:openapi|asyncapi)\.json$/];

precacheAndRoute(self.__WB_MANIFEST);
cleanupOutdatedCaches();
registerRoute(new NavigationRoute(createHandlerBoundToURL("/index.html"), { denylist: ELSEWHERE }));

// What is too large or too rare to fetch beforehand, such as the emoji: its name changes with its content.
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

/** Bring a tab of ours to the front, or open one. */
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
