/** The place of the log: where it opens, what is on screen, when it follows the newest message and when it stays. */
import { useCallback, useEffect, useLayoutEffect, useRef, useState, type RefObject } from "react";
import type { VirtualizerHandle } from "virtua";

import { useActions } from "../../app/client.ts";
import type { RoomStore } from "../../core/index.ts";
import { seqOfEntry, type Row } from "../logic/rows.ts";
import { createPin, watchHands } from "./pin.ts";
import type { Jumps } from "./jumps.ts";
import type { Staged } from "./staged.ts";

const NEAR_BOTTOM = 48;
const LOAD_AHEAD = 1600;
const FLASH_MS = 1400;

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

const indexOfSeq = (rows: readonly Row[], seq: number) =>
  rows.findIndex((row) => (seqOfEntry(row.entry) ?? -1) >= seq);

const looksAtPage = () => document.visibilityState === "visible" && document.hasFocus();

export function useScroll({ store, staged, handleRef, scrollerRef, jumps, firstUnreadSeq }: Given): Scroll {
  const { markRead } = useActions();
  const { rows, window: windowNumber } = staged;
  const follows = useRef(true);
  const settled = useRef(false);
  const aimDone = useRef(0);
  const [place, setPlace] = useState({ atBottom: true, nearTop: false });
  const [placedWindow, setPlacedWindow] = useState(-1);
  const [flashed, setFlashed] = useState<string | null>(null);
  const latestRows = useRef(rows);
  const { aim, lookedAt } = jumps;

  useLayoutEffect(() => {
    latestRows.current = rows;
  }, [rows]);

  const [pin] = useState(createPin);

  const toEnd = useCallback(() => {
    follows.current = true;
    pin.hold(scrollerRef.current);
  }, [pin, scrollerRef]);

  /** What is on screen: read up to there, keep the window around it, load what comes next. */
  const look = useCallback(() => {
    const list = handleRef.current;
    if (!list || !settled.current) return;
    const seen = seqsOnScreen(list, latestRows.current);
    const { window } = store.getSnapshot();
    if (seen) {
      store.look(seen.first, seen.last);
      lookedAt(seen.middle);
      if (looksAtPage()) markRead(store.roomId, seen.last);
    }
    if (window.loading !== null || window.problem !== null) return;
    if (window.hasBefore && list.scrollOffset < LOAD_AHEAD) void store.loadBefore();
    else if (window.hasAfter && fromEnd(list) < LOAD_AHEAD) void store.loadAfter();
  }, [handleRef, store, markRead, lookedAt]);

  const note = useCallback(() => {
    const list = handleRef.current;
    if (!list) return;
    const atEnd = fromEnd(list) <= NEAR_BOTTOM && !store.getSnapshot().window.hasAfter;
    if (!pin.holds()) follows.current = atEnd;
    const nearTop = list.scrollOffset < 400;
    setPlace((now) =>
      now.atBottom === atEnd && now.nearTop === nearTop ? now : { atBottom: atEnd, nearTop },
    );
  }, [handleRef, store, pin]);

  const onScroll = useCallback(() => {
    if (settled.current) note();
    look();
  }, [note, look]);

  const onResize = useCallback(() => {
    if (follows.current && settled.current) toEnd();
    look();
  }, [toEnd, look]);

  // A new window opens where it was asked to, else at the first unread message, else at its end.
  useLayoutEffect(() => {
    if (rows.length === 0) return;
    settled.current = false;
    const unread = firstUnreadSeq === null ? -1 : indexOfSeq(latestRows.current, firstUnreadSeq);
    const list = handleRef.current;
    follows.current = unread < 0;
    if (unread >= 0) {
      pin.release();
      list?.scrollToIndex(unread, { align: "start", offset: -72 });
    } else {
      toEnd();
    }
    return afterFrames(3, () => {
      settled.current = true;
      setPlacedWindow(windowNumber);
      note();
      look();
    });
    // Only the window's number counts: rows that come later have their own effect below.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [windowNumber, rows.length === 0]);

  useLayoutEffect(() => {
    if (settled.current && follows.current && !store.getSnapshot().window.hasAfter) toEnd();
  }, [rows, store, toEnd]);

  useEffect(() => {
    if (!aim || aim.id === aimDone.current) return;
    if ("end" in aim) {
      aimDone.current = aim.id;
      toEnd();
      return;
    }
    const index = rows.findIndex((one) => seqOfEntry(one.entry) === aim.seq);
    const row = rows[index];
    if (!row) return;
    aimDone.current = aim.id;
    follows.current = false;
    pin.release();
    handleRef.current?.scrollToIndex(index, { align: "center" });
    if (!aim.flash) return;
    const begin = window.setTimeout(() => setFlashed(row.key));
    const end = window.setTimeout(() => setFlashed(null), FLASH_MS);
    return () => {
      window.clearTimeout(begin);
      window.clearTimeout(end);
    };
  }, [aim, rows, windowNumber, handleRef, toEnd, pin]);

  useEffect(() => {
    const timer = window.setTimeout(look, 60);
    return () => window.clearTimeout(timer);
  }, [rows, look]);

  useEffect(() => {
    window.addEventListener("focus", look);
    document.addEventListener("visibilitychange", look);
    return () => {
      window.removeEventListener("focus", look);
      document.removeEventListener("visibilitychange", look);
    };
  }, [look]);

  useEffect(() => {
    const element = scrollerRef.current;
    return element ? watchHands(element, pin.release) : undefined;
  }, [scrollerRef, pin]);

  useFollowSize(scrollerRef, follows, toEnd);
  return { placed: placedWindow === windowNumber, ...place, flashed, onScroll, onScrollEnd: look, onResize };
}

function fromEnd(list: VirtualizerHandle): number {
  return list.scrollSize - list.viewportSize - list.scrollOffset;
}

/** The keyboard of a phone, or a composer that grows, must not hide the newest message. */
function useFollowSize(
  scrollerRef: RefObject<HTMLDivElement | null>,
  follows: RefObject<boolean>,
  toEnd: () => void,
): void {
  useEffect(() => {
    const element = scrollerRef.current;
    if (!element) return;
    const observer = new ResizeObserver(() => {
      if (follows.current) toEnd();
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [scrollerRef, follows, toEnd]);
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
    // A message counts as seen when at least its upper half, or a screen of it, is there.
    const size = Math.min(list.getItemSize(i), list.viewportSize);
    if (seq !== null && list.getItemOffset(i) + size / 2 <= bottom) seqs.push(seq);
  }
  const [first] = seqs;
  const last = seqs.at(-1);
  const middle = seqs[Math.floor(seqs.length / 2)];
  return first === undefined || last === undefined || middle === undefined ? null : { first, middle, last };
}

function afterFrames(count: number, then: () => void): () => void {
  let frame = requestAnimationFrame(function step() {
    count -= 1;
    if (count <= 0) then();
    else frame = requestAnimationFrame(step);
  });
  return () => cancelAnimationFrame(frame);
}
