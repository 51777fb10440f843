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
  asked: boolean,
): { shown: boolean; toggle: () => void; close: () => void } {
  const wide = useWide();
  const [kept, setKept] = useState(() => localStorage.getItem(STORED) !== "closed");
  const [, go] = useLocation();
  const keep = (open: boolean) => {
    localStorage.setItem(STORED, open ? "open" : "closed");
    setKept(open);
  };
  if (wide) return { shown: kept, toggle: () => keep(!kept), close: () => keep(false) };
  const close = () => go(paths.room(roomId), { replace: true });
  return { shown: asked, toggle: () => (asked ? close() : go(paths.details(roomId))), close };
}
