/** History that comes above must not move what one looks at, even while a wheel's own motion overwrites where the list went. */
import { useLayoutEffect, useRef, type RefObject } from "react";
import type { VirtualizerHandle } from "virtua";

import type { Staged } from "./staged.ts";

const WATCHED_FRAMES = 30;

/** A motion of the browser that was under way may set the old offset again: then the added height is added once more. */
export function useHeldShift(
  { rows, shift, window }: Staged,
  handleRef: RefObject<VirtualizerHandle | null>,
  scrollerRef: RefObject<HTMLElement | null>,
): void {
  const known = useRef({ window, first: rows[0]?.key });
  useLayoutEffect(() => {
    const before = known.current;
    known.current = { window, first: rows[0]?.key };
    const list = handleRef.current;
    const scroller = scrollerRef.current;
    if (!shift || !list || !scroller || before.window !== window) return;
    const index = rows.findIndex((row) => row.key === before.first);
    return index > 0 ? hold(scroller, list.getItemOffset(index)) : undefined;
  }, [rows, shift, window, handleRef, scrollerRef]);
}

function hold(scroller: HTMLElement, added: number): () => void {
  let frame = 0;
  let left = WATCHED_FRAMES;
  let last = added;
  const step = () => {
    // No hand scrolls most of a page of messages in one frame.
    if (last - scroller.scrollTop > added * 0.6) scroller.scrollTop += added;
    last = scroller.scrollTop;
    left -= 1;
    if (left > 0) frame = requestAnimationFrame(step);
  };
  step();
  return () => cancelAnimationFrame(frame);
}
