/**
 * The rows of the list. If both ends of the window change, the change is made in two steps, so that the list keeps
 * its position.
 */
import { useLayoutEffect, useMemo, useState } from "react";

import type { Entry } from "../../core/index.ts";
import { overlaps, rowsOf, stepsBetween, type Row } from "./rows.ts";

type Step = ReturnType<typeof stepsBetween>[number];

export interface StagedRows extends Step {
  /** Increases when the window jumps, which remounts the list. */
  window: number;
}

interface State extends StagedRows {
  target: readonly Row[];
  later: readonly Step[];
}

/** Return a function that builds rows. Unchanged rows keep their identity between calls. */
export function rowMemory(): (
  entries: readonly Entry[],
  me: string,
  firstUnreadSeq: number | null,
) => readonly Row[] {
  let earlier = new Map<string, Row>();
  return (entries, me, firstUnreadSeq) => {
    const rows = rowsOf(entries, me, firstUnreadSeq, earlier);
    earlier = new Map(rows.map((row) => [row.key, row]));
    return rows;
  };
}

function advanced(state: State, target: readonly Row[]): State {
  if (!overlaps(state.rows, target)) {
    return { target, rows: target, shift: false, later: [], window: state.window + 1 };
  }
  const [step, ...later] = stepsBetween(state.rows, target);
  return { ...state, target, rows: step?.rows ?? target, shift: step?.shift ?? false, later };
}

export function useStagedRows(
  entries: readonly Entry[],
  me: string,
  firstUnreadSeq: number | null,
): StagedRows {
  const [memory] = useState(rowMemory);
  const target = useMemo(() => memory(entries, me, firstUnreadSeq), [memory, entries, me, firstUnreadSeq]);
  const [state, setState] = useState<State>({ target, rows: target, shift: false, later: [], window: 0 });
  if (state.target !== target) setState(advanced(state, target));
  useLayoutEffect(() => {
    const [step, ...later] = state.later;
    // The second step has to wait until the list has measured the first.
    // eslint-disable-next-line react-hooks/set-state-in-effect
    if (step) setState((current) => ({ ...current, ...step, later }));
  }, [state.later]);
  return state;
}
