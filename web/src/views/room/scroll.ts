/** The scroll position of the log: where it opens, and whether it follows new messages. */
import { useCallback, useEffect, useLayoutEffect, useRef, useState, type RefObject } from "react";
import type { VirtualizerHandle } from "virtua";

import type { RoomStore } from "../../core/index.ts";
import { seqOfEntry, type Row } from "./rows.ts";
import { useScrollTarget } from "./scroll-target.ts";
import { useListShift } from "./list-shift.ts";
import type { Jumps } from "./jumps.ts";
import { createEndLock, keepPosition, onUserScroll } from "./scroll-lock.ts";
import { distanceFromEnd, useVisibleRange } from "./visible-range.ts";
import type { StagedRows } from "./staged-rows.ts";

const NEAR_BOTTOM = 48;
const NEAR_TOP = 400;
/** Space above the first unread message, so that the divider and some context are visible. */
const HEADROOM = 72;
const FRAMES_TO_SETTLE = 3;

interface Options {
  store: RoomStore;
  staged: StagedRows;
  handleRef: RefObject<VirtualizerHandle | null>;
  scrollerRef: RefObject<HTMLDivElement | null>;
  jumps: Jumps;
  firstUnreadSeq: number | null;
}

export interface Scroll {
  positioned: boolean;
  atBottom: boolean;
  nearTop: boolean;
  flashed: string | null;
  onScroll: () => void;
  onScrollEnd: () => void;
  onResize: () => void;
}

export function useScroll({ store, staged, handleRef, scrollerRef, jumps, firstUnreadSeq }: Options): Scroll {
  const { rows, window: windowNumber } = staged;
  const { target, setPosition } = jumps;
  const rowsRef = useRef(rows);
  const settledRef = useRef(false);
  const [positionedWindow, setPositionedWindow] = useState(-1);
  const edges = useEdges(store, handleRef, scrollerRef);
  const { followsRef, scrollToEnd, releaseEnd, updateEdges, atBottom, nearTop } = edges;
  useLayoutEffect(() => {
    rowsRef.current = rows;
  }, [rows]);
  const updateVisibleRange = useVisibleRange({ store, rows, handleRef, rowsRef, settledRef, setPosition });

  const toFirstUnread = useFirstUnread({ firstUnreadSeq, rowsRef, handleRef, scrollerRef, releaseEnd });

  const empty = rows.length === 0;
  useLayoutEffect(() => {
    if (empty) return;
    settledRef.current = false;
    if (!toFirstUnread()) scrollToEnd();
    return afterFrames(FRAMES_TO_SETTLE, () => {
      settledRef.current = true;
      setPositionedWindow(windowNumber);
      updateEdges();
      updateVisibleRange();
    });
    // Only a new window opens at a position: the first unread message is fixed, and new rows have their own effect.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [windowNumber, empty]);

  useLayoutEffect(() => {
    if (settledRef.current && followsRef.current && !store.getSnapshot().window.hasAfter) scrollToEnd();
  }, [rows, store, followsRef, scrollToEnd]);

  useListShift(staged, scrollerRef);
  const flashed = useScrollTarget({
    target,
    rows,
    rowsRef,
    handleRef,
    scrollerRef,
    scrollToEnd,
    releaseEnd,
  });
  const onScroll = useCallback(() => {
    if (settledRef.current) updateEdges();
    updateVisibleRange();
  }, [updateEdges, updateVisibleRange]);
  const onResize = useCallback(() => {
    if (followsRef.current && settledRef.current) scrollToEnd();
    updateVisibleRange();
  }, [followsRef, scrollToEnd, updateVisibleRange]);
  return {
    positioned: positionedWindow === windowNumber,
    atBottom,
    nearTop,
    flashed,
    onScroll,
    onScrollEnd: updateVisibleRange,
    onResize,
  };
}

interface FirstUnreadOptions extends Pick<Options, "firstUnreadSeq" | "handleRef" | "scrollerRef"> {
  rowsRef: RefObject<readonly Row[]>;
  releaseEnd: () => void;
}

/** Return a function that scrolls to the first unread message. It returns false if there is none in the window. */
function useFirstUnread(options: FirstUnreadOptions): () => boolean {
  const { firstUnreadSeq, rowsRef, handleRef, scrollerRef, releaseEnd } = options;
  return useCallback(() => {
    const seq = firstUnreadSeq ?? Infinity;
    if (indexOfSeq(rowsRef.current, seq) < 0 || !scrollerRef.current) return false;
    releaseEnd();
    keepPosition(scrollerRef.current, () => {
      const index = indexOfSeq(rowsRef.current, seq);
      handleRef.current?.scrollToIndex(index, { align: "start", offset: -HEADROOM });
    });
    return true;
  }, [firstUnreadSeq, rowsRef, handleRef, scrollerRef, releaseEnd]);
}

/**
 * Track whether the log is at its end and follows it. Only scrolling by the user changes that, not new or growing
 * rows.
 */
function useEdges(
  store: RoomStore,
  handleRef: RefObject<VirtualizerHandle | null>,
  scrollerRef: RefObject<HTMLDivElement | null>,
) {
  const followsRef = useRef(true);
  const [endLock] = useState(createEndLock);
  const [edges, setEdges] = useState({ atBottom: true, nearTop: false });

  const scrollToEnd = useCallback(() => {
    followsRef.current = true;
    endLock.lock(scrollerRef.current);
  }, [endLock, scrollerRef]);
  const releaseEnd = useCallback(() => {
    followsRef.current = false;
    endLock.release();
  }, [endLock]);
  const updateEdges = useCallback(() => {
    const list = handleRef.current;
    if (!list) return;
    const atBottom = distanceFromEnd(list) <= NEAR_BOTTOM && !store.getSnapshot().window.hasAfter;
    const nearTop = list.scrollOffset < NEAR_TOP;
    if (!endLock.active()) followsRef.current = atBottom;
    setEdges((now) => (now.atBottom === atBottom && now.nearTop === nearTop ? now : { atBottom, nearTop }));
  }, [handleRef, store, endLock]);

  useEffect(() => {
    const element = scrollerRef.current;
    if (!element) return;
    // An on-screen keyboard or a growing composer must not hide the newest message.
    const observer = new ResizeObserver(() => {
      if (followsRef.current) scrollToEnd();
    });
    observer.observe(element);
    const forget = onUserScroll(element, endLock.release);
    return () => {
      observer.disconnect();
      forget();
    };
  }, [scrollerRef, endLock, scrollToEnd]);
  return { followsRef, scrollToEnd, releaseEnd, updateEdges, ...edges };
}

function indexOfSeq(rows: readonly Row[], seq: number): number {
  return rows.findIndex((row) => (seqOfEntry(row.entry) ?? -1) >= seq);
}

function afterFrames(count: number, then: () => void): () => void {
  let frame = requestAnimationFrame(function step() {
    count -= 1;
    if (count <= 0) then();
    else frame = requestAnimationFrame(step);
  });
  return () => cancelAnimationFrame(frame);
}
