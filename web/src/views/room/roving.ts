/**
 * A roving tab index for messages: arrow keys move between them, and one is in the tab order. A focused message stays
 * mounted.
 */
import { useCallback, useMemo, useState, type RefObject } from "react";
import type { VirtualizerHandle } from "virtua";

import type { Row } from "./rows.ts";

interface Options {
  rows: readonly Row[];
  handleRef: RefObject<VirtualizerHandle | null>;
  scrollerRef: RefObject<HTMLElement | null>;
}

const keyOf = (target: EventTarget) =>
  target instanceof HTMLElement ? (target.closest<HTMLElement>("[data-key]")?.dataset["key"] ?? null) : null;

export function useRoving({ rows, handleRef, scrollerRef }: Options) {
  const [active, setActive] = useState<string | null>(null);
  const [inside, setInside] = useState(false);
  const activeIndex = active === null ? -1 : rows.findIndex((row) => row.key === active);
  const tabbable =
    activeIndex >= 0 ? active : (rows.findLast((row) => row.entry.kind !== "system")?.key ?? null);
  const mounted = useMemo(() => (activeIndex >= 0 ? [activeIndex] : []), [activeIndex]);

  const focus = useCallback(
    (index: number) => {
      const row = rows[index];
      if (!row) return;
      setActive(row.key);
      handleRef.current?.scrollToIndex(index, { align: "nearest" });
      requestAnimationFrame(() =>
        scrollerRef.current?.querySelector<HTMLElement>(`[data-key="${CSS.escape(row.key)}"]`)?.focus(),
      );
    },
    [rows, handleRef, scrollerRef],
  );

  const onKeyDown = useCallback(
    (event: React.KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (target.dataset["key"] === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
      const by = event.key === "ArrowUp" ? -1 : event.key === "ArrowDown" ? 1 : 0;
      if (by === 0) return;
      event.preventDefault();
      let index = rows.findIndex((row) => row.key === target.dataset["key"]) + by;
      while (rows[index]?.entry.kind === "system") index += by;
      focus(index);
    },
    [rows, focus],
  );

  const onFocus = useCallback((event: React.FocusEvent) => {
    setActive(keyOf(event.target));
    setInside(true);
  }, []);
  const onBlur = useCallback((event: React.FocusEvent) => {
    if (!event.currentTarget.contains(event.relatedTarget)) setInside(false);
  }, []);
  return { tabbable, focused: inside ? active : null, mounted, onKeyDown, onFocus, onBlur };
}
