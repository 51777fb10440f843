/** The place of the log: where it opens, when it follows the newest message and when it stays. */
import { useCallback, useEffect, useLayoutEffect, useRef, useState, type RefObject } from "react";
import type { VirtualizerHandle } from "virtua";

import type { RoomStore } from "../../core/index.ts";
import { seqOfEntry, type Row } from "./rows.ts";
import { useAim } from "./aim.ts";
import { useHeldShift } from "./held-shift.ts";
import type { Jumps } from "./jumps.ts";
import { createPin, holdPlace, watchHands } from "./pin.ts";
import { fromEnd, useSight } from "./sight.ts";
import type { Staged } from "./staged.ts";

const NEAR_BOTTOM = 48;
const NEAR_TOP = 400;
/** Above the first unread message, so that its divider is seen and a little of what was read. */
const HEADROOM = 72;
const FRAMES_TO_SETTLE = 3;

interface Given {
  store: RoomStore;
  staged: Staged;
  handleRef: RefObject<VirtualizerHandle | null>;
  scrollerRef: RefObject<HTMLDivElement | null>;
  jumps: Jumps;
  firstUnreadSeq: number | null;
}

export interface Scroll {
  placed: boolean;
  atBottom: boolean;
  nearTop: boolean;
  flashed: string | null;
  onScroll: () => void;
  onScrollEnd: () => void;
  onResize: () => void;
}

export function useScroll({ store, staged, handleRef, scrollerRef, jumps, firstUnreadSeq }: Given): Scroll {
  const { rows, window: windowNumber } = staged;
  const rowsRef = useRef(rows);
  const settledRef = useRef(false);
  const [placedWindow, setPlacedWindow] = useState(-1);
  const { followsRef, toEnd, letGo, ...edges } = useEdges(store, handleRef, scrollerRef);
  const { note } = edges;
  useLayoutEffect(() => {
    rowsRef.current = rows;
  }, [rows]);
  const look = useSight({ store, rows, handleRef, rowsRef, settledRef, lookedAt: jumps.lookedAt });

  // A new window opens at the first unread message, else at its end; an aim may then lead elsewhere.
  const empty = rows.length === 0;
  useLayoutEffect(() => {
    if (empty) return;
    settledRef.current = false;
    const seq = firstUnreadSeq ?? Infinity;
    if (indexOfSeq(rowsRef.current, seq) >= 0 && scrollerRef.current) {
      letGo();
      holdPlace(scrollerRef.current, () => {
        const index = indexOfSeq(rowsRef.current, seq);
        handleRef.current?.scrollToIndex(index, { align: "start", offset: -HEADROOM });
      });
    } else {
      toEnd();
    }
    return afterFrames(FRAMES_TO_SETTLE, () => {
      settledRef.current = true;
      setPlacedWindow(windowNumber);
      note();
      look();
    });
    // Only the window's number counts: where reading begins is frozen, and rows that come later have their own effect.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [windowNumber, empty]);

  useLayoutEffect(() => {
    if (settledRef.current && followsRef.current && !store.getSnapshot().window.hasAfter) toEnd();
  }, [rows, store, followsRef, toEnd]);

  useHeldShift(staged, scrollerRef);
  const flashed = useAim({ aim: jumps.aim, rows, rowsRef, handleRef, scrollerRef, toEnd, letGo });
  const onScroll = useCallback(() => {
    if (settledRef.current) note();
    look();
  }, [note, look]);
  const onResize = useCallback(() => {
    if (followsRef.current && settledRef.current) toEnd();
    look();
  }, [followsRef, toEnd, look]);
  const { atBottom, nearTop } = edges;
  return {
    placed: placedWindow === windowNumber,
    atBottom,
    nearTop,
    flashed,
    onScroll,
    onScrollEnd: look,
    onResize,
  };
}

/** Whether the log is at its end and follows it; a hand that scrolls decides, not rows that come or grow. */
function useEdges(
  store: RoomStore,
  handleRef: RefObject<VirtualizerHandle | null>,
  scrollerRef: RefObject<HTMLDivElement | null>,
) {
  const followsRef = useRef(true);
  const [pin] = useState(createPin);
  const [edges, setEdges] = useState({ atBottom: true, nearTop: false });

  const toEnd = useCallback(() => {
    followsRef.current = true;
    pin.hold(scrollerRef.current);
  }, [pin, scrollerRef]);
  const letGo = useCallback(() => {
    followsRef.current = false;
    pin.release();
  }, [pin]);
  const note = useCallback(() => {
    const list = handleRef.current;
    if (!list) return;
    const atBottom = fromEnd(list) <= NEAR_BOTTOM && !store.getSnapshot().window.hasAfter;
    const nearTop = list.scrollOffset < NEAR_TOP;
    if (!pin.holds()) followsRef.current = atBottom;
    setEdges((now) => (now.atBottom === atBottom && now.nearTop === nearTop ? now : { atBottom, nearTop }));
  }, [handleRef, store, pin]);

  useEffect(() => {
    const element = scrollerRef.current;
    if (!element) return;
    // The keyboard of a phone, or a composer that grows, must not hide the newest message.
    const observer = new ResizeObserver(() => {
      if (followsRef.current) toEnd();
    });
    observer.observe(element);
    const forget = watchHands(element, pin.release);
    return () => {
      observer.disconnect();
      forget();
    };
  }, [scrollerRef, pin, toEnd]);
  return { followsRef, toEnd, letGo, note, ...edges };
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
