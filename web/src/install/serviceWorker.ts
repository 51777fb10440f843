// Registers the service worker and tells when a newer WebChat waits. The newer one takes over only when asked, so that
// nobody's page changes under their hands; then every tab loads anew.

const CHECK_EVERY_MS = 60 * 60 * 1000;
const ADDRESS = "/sw.js";

export type Update = { apply: () => void };

/** Call `onUpdate` when a newer version is ready; `apply` moves to it. Does nothing where there are no workers. */
export async function watchForUpdates(onUpdate: (update: Update) => void): Promise<void> {
  if (!("serviceWorker" in navigator)) return;
  const registration = await navigator.serviceWorker.register(trusted(ADDRESS), { updateViaCache: "none" });
  const offer = (): void => {
    const waiting = registration.waiting;
    // The very first worker waits for a moment too: there is nothing older that it could replace.
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

/** The first worker of a fresh page claims it without replacing another: that is no reason to load it again. */
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
    registration.update().catch(() => undefined); // no network, or the server is down: the next check comes
  };
  document.addEventListener("visibilitychange", check);
  setInterval(check, CHECK_EVERY_MS);
}

type Policy = { createScriptURL: (url: string) => string };
type TrustedTypes = { createPolicy: (name: string, rules: Policy) => Policy };

/** Our pages' policy takes addresses of scripts only from this named maker, which makes one. */
function trusted(address: string): string {
  const factory = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes;
  const only = (url: string): string => {
    if (url !== ADDRESS) throw new TypeError(`not our worker: ${url}`);
    return url;
  };
  return factory === undefined
    ? address
    : factory.createPolicy("service-worker", { createScriptURL: only }).createScriptURL(address);
}
