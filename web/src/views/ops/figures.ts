/** Polls the figures every two seconds while the page is visible. Five minutes of them are stored. */
import { useEffect, useState } from "react";

import { useActions } from "../../app/client.ts";
import type { DomainError } from "../../core/index.ts";
import { appended, type History } from "./series.ts";

const POLL_INTERVAL = 2_000;

export interface FiguresState {
  history: History;
  /** The error of the last request. */
  error: DomainError | null;
}

export function useFigures(): FiguresState {
  const { figures } = useActions();
  const [state, setState] = useState<FiguresState>({ history: [], error: null });
  useEffect(() => {
    let timer: number | undefined;
    let over = false;
    const ask = async () => {
      const result = document.hidden ? null : await figures();
      if (over) return;
      if (result?.ok)
        setState(({ history }) => ({ history: appended(history, result.figures), error: null }));
      else if (result) setState(({ history }) => ({ history, error: result.error }));
      if (result?.ok !== false || result.error.code !== "not_found")
        timer = window.setTimeout(() => void ask(), POLL_INTERVAL);
    };
    void ask();
    return () => {
      over = true;
      window.clearTimeout(timer);
    };
  }, [figures]);
  return state;
}
