/** Keys that work everywhere: the switcher, the rooms above and below, the list of shortcuts. */
import { useEffect } from "react";

import { isCovered, openDialog } from "./overlay.ts";

export interface Hotkeys {
  /** To the next room of the list, or the one before. */
  step: (by: 1 | -1) => void;
}

export const isApple = () => /Mac|iPhone|iPad/.test(navigator.userAgent);

export function switcherKey(): string {
  return isApple() ? "⌘K" : "Ctrl K";
}

export function useHotkeys({ step }: Hotkeys): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.isComposing) return;
      const command = event.ctrlKey || event.metaKey;
      if (command && !event.shiftKey && !event.altKey && event.code === "KeyK") {
        event.preventDefault();
        openDialog({ kind: "switcher" });
      } else if (command && event.code === "Slash") {
        event.preventDefault();
        openDialog({ kind: "shortcuts" });
      } else if (event.altKey && !command && /^Arrow(Up|Down)$/.test(event.key) && !isCovered()) {
        event.preventDefault();
        step(event.key === "ArrowUp" ? -1 : 1);
      }
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [step]);
}
