/** Hooks for the current time. */
import { useSyncExternalStore } from "react";

let now = new Date();
const listeners = new Set<() => void>();
let timer: number | undefined;

function tick(): void {
  now = new Date();
  for (const listener of listeners) listener();
}

export function useNow(): Date {
  return useSyncExternalStore(
    (listener) => {
      if (listeners.size === 0) timer = window.setInterval(tick, 60_000);
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) window.clearInterval(timer);
      };
    },
    () => now,
  );
}

/** Return the whole seconds until a moment in milliseconds, and count down. */
export function useSecondsUntil(moment: number): number {
  return useSyncExternalStore(
    (listener) => {
      if (moment <= Date.now()) return () => undefined;
      const ticking = window.setInterval(listener, 500);
      return () => window.clearInterval(ticking);
    },
    () => Math.max(0, Math.ceil((moment - Date.now()) / 1000)),
  );
}

/** Return whether a moment in milliseconds is over. Renders again when it comes. */
export function usePassed(moment: number): boolean {
  return useSyncExternalStore(
    (listener) => {
      const wait = moment - Date.now();
      if (wait <= 0) return () => undefined;
      const one = window.setTimeout(listener, wait + 5);
      return () => window.clearTimeout(one);
    },
    () => Date.now() >= moment,
  );
}

/** Return the whole seconds since a moment in milliseconds, and count up. */
export function useSecondsSince(moment: number): number {
  return useSyncExternalStore(
    (listener) => {
      const ticking = window.setInterval(listener, 1000);
      return () => window.clearInterval(ticking);
    },
    () => Math.max(0, Math.floor((Date.now() - moment) / 1000)),
  );
}
