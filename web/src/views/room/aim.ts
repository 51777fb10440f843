/** Goes where the log is asked to go, as soon as that message is among its rows, and flashes it. */
import { useEffect, useRef, useState, type RefObject } from "react";
import type { VirtualizerHandle } from "virtua";

import { seqOfEntry, type Row } from "../logic/rows.ts";
import type { Aim } from "./jumps.ts";

const FLASH_MS = 1400;

interface Given {
  aim: Aim | null;
  rows: readonly Row[];
  handleRef: RefObject<VirtualizerHandle | null>;
  toEnd: () => void;
  letGo: () => void;
}

export function useAim({ aim, rows, handleRef, toEnd, letGo }: Given): string | null {
  const done = useRef(0);
  const [flashed, setFlashed] = useState<string | null>(null);
  useEffect(() => {
    if (!aim || aim.id === done.current) return;
    if ("end" in aim) {
      done.current = aim.id;
      toEnd();
      return;
    }
    const index = rows.findIndex((one) => seqOfEntry(one.entry) === aim.seq);
    const row = rows[index];
    if (!row) return;
    done.current = aim.id;
    letGo();
    handleRef.current?.scrollToIndex(index, { align: "center" });
    if (aim.flash) requestAnimationFrame(() => setFlashed(row.key));
  }, [aim, rows, handleRef, toEnd, letGo]);
  useEffect(() => {
    if (flashed === null) return;
    const timer = window.setTimeout(() => setFlashed(null), FLASH_MS);
    return () => window.clearTimeout(timer);
  }, [flashed]);
  return flashed;
}
