/** Asks for the figures every two seconds while somebody looks, and keeps five minutes of them. */
import { useEffect, useState } from "react";

import { useActions } from "../../app/client.ts";
import type { DomainError } from "../../core/index.ts";
import { kept, type History } from "./series.ts";

const EVERY = 2_000;

export interface Live {
  history: History;
  /** Why the last question has no answer. */
  error: DomainError | null;
}

export function useFigures(): Live {
  const { figures } = useActions();
  const [live, setLive] = useState<Live>({ history: [], error: null });
  useEffect(() => {
    let timer: number | undefined;
    let over = false;
    const ask = async () => {
      const result = document.hidden ? null : await figures();
      if (over) return;
      if (result?.ok) setLive(({ history }) => ({ history: kept(history, result.figures), error: null }));
      else if (result) setLive(({ history }) => ({ history, error: result.error }));
      if (result?.ok !== false || result.error.code !== "not_found")
        timer = window.setTimeout(() => void ask(), EVERY);
    };
    void ask();
    return () => {
      over = true;
      window.clearTimeout(timer);
    };
  }, [figures]);
  return live;
}
