/** Keeps the visible messages in place when older ones are inserted above them. */
import { useLayoutEffect, type RefObject } from "react";

import type { StagedRows } from "./staged-rows.ts";

/**
 * Notify the virtual list about its own scrolling at once.
 *
 * The browser reports it one frame later. If new rows are measured before that, the list corrects its old position
 * and the scrolling is lost.
 */
export function useListShift({ rows, shift }: StagedRows, scrollerRef: RefObject<HTMLElement | null>): void {
  useLayoutEffect(() => {
    // Not within the effect, because the list renders synchronously.
    if (shift) queueMicrotask(() => scrollerRef.current?.dispatchEvent(new Event("scroll")));
  }, [rows, shift, scrollerRef]);
}
