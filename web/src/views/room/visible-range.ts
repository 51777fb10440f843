/** The visible part of the log: marks it as read, keeps the window around it and loads the next pages. */
import { useCallback, useEffect, type RefObject } from "react";
import type { VirtualizerHandle } from "virtua";

import { useActions } from "../../app/client.ts";
import type { RoomStore } from "../../core/index.ts";
import { seqOfEntry, type Row } from "./rows.ts";

const LOAD_AHEAD = 1600;

interface Options {
  store: RoomStore;
  rows: readonly Row[];
  handleRef: RefObject<VirtualizerHandle | null>;
  rowsRef: RefObject<readonly Row[]>;
  /** True once the log has its initial position. Before that nothing counts as seen. */
  settledRef: RefObject<boolean>;
  setPosition: (seq: number | null) => void;
}

const isPageFocused = () => document.visibilityState === "visible" && document.hasFocus();

/**
 * Return a function to call whenever the log scrolls. It also runs after new rows and when the window gets the focus.
 */
export function useVisibleRange({
  store,
  rows,
  handleRef,
  rowsRef,
  settledRef,
  setPosition,
}: Options): () => void {
  const { markRead } = useActions();
  const update = useCallback(() => {
    const list = handleRef.current;
    if (!list || !settledRef.current) return;
    const seen = seqsOnScreen(list, rowsRef.current);
    if (seen) {
      store.setVisibleRange(seen.first, seen.last);
      setPosition(seen.middle);
      if (isPageFocused()) markRead(store.roomId, seen.last);
    }
    loadAhead(store, list);
  }, [handleRef, rowsRef, settledRef, store, markRead, setPosition]);
  useEffect(() => {
    const timer = window.setTimeout(update, 60);
    return () => window.clearTimeout(timer);
  }, [rows, update]);
  useEffect(() => {
    window.addEventListener("focus", update);
    document.addEventListener("visibilitychange", update);
    return () => {
      window.removeEventListener("focus", update);
      document.removeEventListener("visibilitychange", update);
    };
  }, [update]);
  return update;
}

export function distanceFromEnd(list: VirtualizerHandle): number {
  return list.scrollSize - list.viewportSize - list.scrollOffset;
}

function loadAhead(store: RoomStore, list: VirtualizerHandle): void {
  const { window } = store.getSnapshot();
  if (window.loading !== null || window.error !== null) return;
  if (window.hasBefore && list.scrollOffset < LOAD_AHEAD) void store.loadBefore();
  else if (window.hasAfter && distanceFromEnd(list) < LOAD_AHEAD) void store.loadAfter();
}

function seqsOnScreen(
  list: VirtualizerHandle,
  rows: readonly Row[],
): { first: number; middle: number; last: number } | null {
  const top = list.scrollOffset;
  const bottom = top + list.viewportSize;
  const start = list.findItemIndex(top);
  const seqs: number[] = [];
  for (let i = start; i < rows.length && list.getItemOffset(i) < bottom; i++) {
    const row = rows[i];
    const seq = row ? seqOfEntry(row.entry) : null;
    // A message counts as seen if its upper half, or one screen of it, is visible.
    const size = Math.min(list.getItemSize(i), list.viewportSize);
    if (seq !== null && list.getItemOffset(i) + size / 2 <= bottom) seqs.push(seq);
  }
  const [first] = seqs;
  const last = seqs.at(-1);
  const middle = seqs[Math.floor(seqs.length / 2)];
  return first === undefined || last === undefined || middle === undefined ? null : { first, middle, last };
}
