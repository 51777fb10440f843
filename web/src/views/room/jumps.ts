/** Jumps within the log, and the positions to return to. */
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useLocation, useSearchParams } from "wouter";

import { toast } from "../../app/overlay.ts";
import { useClientState, useStore } from "../../app/client.ts";
import type { RoomStore } from "../../core/index.ts";
import { currentTexts } from "../../i18n/index.ts";
import { errorText } from "../../format/errors.ts";

export type ScrollTarget = { id: number } & ({ seq: number; flash: boolean } | { end: true });

export interface Jumps {
  target: ScrollTarget | null;
  /** Jump to a message and remember the current position. */
  to: (seq: number) => void;
  toDate: (at: Date) => void;
  toBottom: () => void;
  /** True while the room opens at a message that is not loaded yet. */
  arriving: boolean;
  /** null if there is no position to return to. */
  back: (() => void) | null;
  /** Report the current position of the log. */
  setPosition: (seq: number | null) => void;
}

let lastId = 0;

export function useJumps(store: RoomStore): Jumps {
  const [target, setTarget] = useState<ScrollTarget | null>(null);
  const [positions, setPositions] = useState<readonly number[]>([]);
  const position = useRef<number | null>(null);

  const go = useCallback(
    async (target: { seq: number } | { at: string }, flash: boolean) => {
      const result = await store.jumpTo(target);
      if (result.ok) setTarget({ id: ++lastId, seq: result.seq, flash });
      else toast(errorText(result.error, currentTexts()));
    },
    [store],
  );
  const rememberPosition = useCallback(() => {
    const current = position.current;
    if (current !== null) setPositions((all) => [...all.slice(-9), current]);
  }, []);
  const to = useCallback(
    (seq: number) => {
      rememberPosition();
      void go({ seq }, true);
    },
    [go, rememberPosition],
  );
  const toDate = useCallback(
    (at: Date) => {
      rememberPosition();
      void go({ at: at.toISOString() }, false);
    },
    [go, rememberPosition],
  );
  const toBottom = useCallback(() => {
    setPositions([]);
    const { hasAfter } = store.getSnapshot().window;
    const arrive = () => setTarget({ id: ++lastId, end: true });
    if (hasAfter) void store.toLatest().then(arrive);
    else arrive();
  }, [store]);
  const goBack = useCallback(() => {
    setPositions((all) => all.slice(0, -1));
    const last = positions.at(-1);
    if (last !== undefined) void go({ seq: last }, false);
  }, [positions, go]);
  const setPosition = useCallback((seq: number | null) => {
    position.current = seq;
  }, []);
  const arriving = useLinkedMessage(store, go);

  return useMemo(
    () => ({
      target,
      arriving,
      to,
      toDate,
      toBottom,
      back: positions.length > 0 ? goBack : null,
      setPosition,
    }),
    [target, arriving, to, toDate, toBottom, positions, goBack, setPosition],
  );
}

/** Jump to the message of `?at=12`, from a search result or a link, once the room is loaded. */
function useLinkedMessage(
  store: RoomStore,
  go: (target: { seq: number }, flash: boolean) => Promise<void>,
): boolean {
  const [path] = useLocation();
  const [query] = useSearchParams();
  const seq = Number(query.get("at"));
  const valid = Number.isInteger(seq) && seq > 0;
  const visit = `${path}?${query.toString()}`;
  const [done, setDone] = useState<string | null>(null);
  const connecting = useClientState((state) => state.connection.status === "connecting");
  const loaded = useStore(store, (state) => state.status === "open" && state.window.loading !== "newest");
  const due = valid && loaded && !connecting && done !== visit;
  useEffect(() => {
    if (due) void go({ seq }, true).finally(() => setDone(visit));
  }, [due, seq, visit, go]);
  return valid && done === null;
}
