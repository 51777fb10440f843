/** The size of the window, and the height that an on-screen keyboard leaves. */
import { useSyncExternalStore } from "react";

export function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (listener) => {
      const media = window.matchMedia(query);
      media.addEventListener("change", listener);
      return () => media.removeEventListener("change", listener);
    },
    () => window.matchMedia(query).matches,
  );
}

export const useWide = () => useMedia("(min-width: 1180px)");
export const usePhone = () => useMedia("(max-width: 599px)");

/** Keep the CSS property `--viewport` at the visible height, so that the composer stays above the keyboard. */
export function trackViewport(): void {
  const viewport = window.visualViewport;
  if (!viewport) return;
  const follow = () => {
    if (viewport.scale > 1.01) return;
    document.documentElement.style.setProperty("--viewport", `${Math.round(viewport.height)}px`);
    if (viewport.offsetTop > 0) window.scrollTo(0, 0);
  };
  viewport.addEventListener("resize", follow);
  viewport.addEventListener("scroll", follow);
  follow();
}
