// Registers the service worker and reports a newer version. The newer worker takes over only when the user agrees, so
// no page changes while it is used. Then every tab reloads.

const CHECK_EVERY_MS = 60 * 60 * 1000;
const ADDRESS = "/sw.js";

export type Update = { apply: () => void };

/**
 * Call `onUpdate` when a newer version is ready. `apply` activates it. Does nothing in browsers without service
 * workers.
 */
export async function watchForUpdates(onUpdate: (update: Update) => void): Promise<void> {
  if (!("serviceWorker" in navigator)) return;
  const registration = await navigator.serviceWorker.register(trusted(ADDRESS), { updateViaCache: "none" });
  const offer = (): void => {
    const waiting = registration.waiting;
    // The first worker ever also waits for a moment, but it replaces nothing.
    if (waiting === null || navigator.serviceWorker.controller === null) return;
    onUpdate({ apply: () => waiting.postMessage("take over") });
  };
  reloadWhenReplaced();
  offer();
  registration.addEventListener("updatefound", () => {
    registration.installing?.addEventListener("statechange", offer);
  });
  checkNowAndThen(registration);
}

/** Reload when a newer worker takes over. The first worker of a page replaces nothing, so it causes no reload. */
function reloadWhenReplaced(): void {
  let replaces = navigator.serviceWorker.controller !== null;
  navigator.serviceWorker.addEventListener("controllerchange", () => {
    if (replaces) location.reload();
    replaces = true;
  });
}

function checkNowAndThen(registration: ServiceWorkerRegistration): void {
  let checked = Date.now();
  const check = (): void => {
    if (document.visibilityState !== "visible" || Date.now() - checked < CHECK_EVERY_MS) return;
    checked = Date.now();
    registration.update().catch(() => undefined); // Offline or the server is down: retried at the next check
  };
  document.addEventListener("visibilitychange", check);
  setInterval(check, CHECK_EVERY_MS);
}

type Policy = { createScriptURL: (url: string) => string };
type TrustedTypes = { createPolicy: (name: string, rules: Policy) => Policy };

/** The page's content security policy accepts script URLs only from this policy, which allows one URL. */
function trusted(address: string): string {
  const factory = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes;
  const only = (url: string): string => {
    if (url !== ADDRESS) throw new TypeError(`Unexpected script URL: ${url}`);
    return url;
  };
  return factory === undefined
    ? address
    : factory.createPolicy("service-worker", { createScriptURL: only }).createScriptURL(address);
}
