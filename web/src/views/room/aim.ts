/** Goes where the log is asked to go, as soon as that message is among its rows, and flashes it. */
import { useEffect, useRef, useState, type RefObject } from "react";
import type { VirtualizerHandle } from "virtua";

import { seqOfEntry, type Row } from "./rows.ts";
import { holdPlace } from "./pin.ts";
import type { Aim } from "./jumps.ts";

const FLASH_MS = 1400;

interface Given {
  aim: Aim | null;
  rows: readonly Row[];
  rowsRef: RefObject<readonly Row[]>;
  handleRef: RefObject<VirtualizerHandle | null>;
  scrollerRef: RefObject<HTMLElement | null>;
  toEnd: () => void;
  letGo: () => void;
}

const indexOf = (rows: readonly Row[], seq: number) => rows.findIndex((row) => seqOfEntry(row.entry) === seq);

export function useAim({ aim, rows, rowsRef, handleRef, scrollerRef, toEnd, letGo }: Given): string | null {
  const done = useRef(0);
  const [flashed, setFlashed] = useState<string | null>(null);
  useEffect(() => {
    if (!aim || aim.id === done.current) return;
    if ("end" in aim) {
      done.current = aim.id;
      toEnd();
      return;
    }
    const row = rows[indexOf(rows, aim.seq)];
    if (!row || !scrollerRef.current) return;
    done.current = aim.id;
    letGo();
    holdPlace(scrollerRef.current, () => {
      const index = indexOf(rowsRef.current, aim.seq);
      if (index >= 0) handleRef.current?.scrollToIndex(index, { align: "center" });
    });
    if (aim.flash) requestAnimationFrame(() => setFlashed(row.key));
  }, [aim, rows, rowsRef, handleRef, scrollerRef, toEnd, letGo]);
  useEffect(() => {
    if (flashed === null) return;
    const timer = window.setTimeout(() => setFlashed(null), FLASH_MS);
    return () => window.clearTimeout(timer);
  }, [flashed]);
  return flashed;
}
