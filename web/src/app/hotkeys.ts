/** Global keyboard shortcuts: the switcher, the next and previous room, and the list of shortcuts. */
import { useEffect } from "react";

import { isCovered, openDialog } from "./overlay.ts";

export interface Hotkeys {
  /** Go to the next (1) or previous (-1) room of the list. */
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
