/** Scrolls to the target of a jump once its row is there, and flashes it. */
import { useEffect, useRef, useState, type RefObject } from "react";
import type { VirtualizerHandle } from "virtua";

import { seqOfEntry, type Row } from "./rows.ts";
import { keepPosition } from "./scroll-lock.ts";
import type { ScrollTarget } from "./jumps.ts";

const FLASH_MS = 1400;

interface Options {
  target: ScrollTarget | null;
  rows: readonly Row[];
  rowsRef: RefObject<readonly Row[]>;
  handleRef: RefObject<VirtualizerHandle | null>;
  scrollerRef: RefObject<HTMLElement | null>;
  scrollToEnd: () => void;
  releaseEnd: () => void;
}

const indexOf = (rows: readonly Row[], seq: number) => rows.findIndex((row) => seqOfEntry(row.entry) === seq);

export function useScrollTarget({
  target,
  rows,
  rowsRef,
  handleRef,
  scrollerRef,
  scrollToEnd,
  releaseEnd,
}: Options): string | null {
  const done = useRef(0);
  const [flashed, setFlashed] = useState<string | null>(null);
  useEffect(() => {
    if (!target || target.id === done.current) return;
    if ("end" in target) {
      done.current = target.id;
      scrollToEnd();
      return;
    }
    const row = rows[indexOf(rows, target.seq)];
    if (!row || !scrollerRef.current) return;
    done.current = target.id;
    releaseEnd();
    keepPosition(scrollerRef.current, () => {
      const index = indexOf(rowsRef.current, target.seq);
      if (index >= 0) handleRef.current?.scrollToIndex(index, { align: "center" });
    });
    if (target.flash) requestAnimationFrame(() => setFlashed(row.key));
  }, [target, rows, rowsRef, handleRef, scrollerRef, scrollToEnd, releaseEnd]);
  useEffect(() => {
    if (flashed === null) return;
    const timer = window.setTimeout(() => setFlashed(null), FLASH_MS);
    return () => window.clearTimeout(timer);
  }, [flashed]);
  return flashed;
}
