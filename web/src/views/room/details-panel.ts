import { useState } from "react";
import { useLocation } from "wouter";

import { paths } from "../../app/paths.ts";
import { useWide } from "../../app/screen.ts";

const STORED = "webchat.details";

/**
 * The details panel. On wide screens it is a column whose state is stored. Otherwise it has its own URL, so "back"
 * closes it.
 */
export function useDetails(
  roomId: string,
  inUrl: boolean,
): { shown: boolean; toggle: () => void; close: () => void } {
  const wide = useWide();
  const [open, setOpen] = useState(() => localStorage.getItem(STORED) !== "closed");
  const [, go] = useLocation();
  const save = (value: boolean) => {
    localStorage.setItem(STORED, value ? "open" : "closed");
    setOpen(value);
  };
  if (wide) return { shown: open, toggle: () => save(!open), close: () => save(false) };
  const close = () => go(paths.room(roomId), { replace: true });
  return { shown: inUrl, toggle: () => (inUrl ? close() : go(paths.details(roomId))), close };
}
