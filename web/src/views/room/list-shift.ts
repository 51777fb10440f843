/** History that comes above must not move what one looks at. */
import { useLayoutEffect, type RefObject } from "react";

import type { StagedRows } from "./staged-rows.ts";

/**
 * Tells the list at once that it has moved itself. The browser tells it a frame later; where rows that came into sight
 * are measured before that, the list corrects the place that it had before the move, and loses the move.
 */
export function useListShift({ rows, shift }: StagedRows, scrollerRef: RefObject<HTMLElement | null>): void {
  useLayoutEffect(() => {
    // Not within the effect itself: the list draws anew at once.
    if (shift) queueMicrotask(() => scrollerRef.current?.dispatchEvent(new Event("scroll")));
  }, [rows, shift, scrollerRef]);
}
