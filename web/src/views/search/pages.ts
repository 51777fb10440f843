import { useCallback, useEffect, useState } from "react";

import type { Page, DomainError, Result } from "../../core/index.ts";

export interface Pages<T> {
  items: readonly T[] | null;
  error: DomainError | null;
  loadMore: (() => void) | null;
  retry: () => void;
}

interface State<T> {
  of: unknown;
  items: readonly T[] | null;
  next: string | null;
  error: DomainError | null;
}

/** Load a list page by page. `load` must be stable, null loads nothing. */
export function usePages<T>(
  load: ((cursor?: string) => Promise<Result<{ page: Page<T> }>>) | null,
): Pages<T> {
  const blank: State<T> = { of: load, items: null, next: null, error: null };
  const [stored, setState] = useState(blank);
  const [tries, setTries] = useState(0);
  const state = stored.of === load ? stored : blank;

  const fetchPage = useCallback(
    async (cursor?: string) => {
      if (!load) return;
      const result = await load(cursor);
      setState((before) => {
        const earlier = before.of === load && cursor !== undefined ? (before.items ?? []) : [];
        if (!result.ok)
          return {
            of: load,
            items: before.of === load ? before.items : null,
            next: null,
            error: result.error,
          };
        return { of: load, items: [...earlier, ...result.page.items], next: result.page.next, error: null };
      });
    },
    [load],
  );

  useEffect(() => {
    // The result arrives later, so this sets no state during the effect.
    // eslint-disable-next-line react-hooks/set-state-in-effect
    void fetchPage();
  }, [fetchPage, tries]);

  const { next } = state;
  return {
    items: state.items,
    error: state.error,
    loadMore: next === null ? null : () => void fetchPage(next),
    retry: () => setTries((count) => count + 1),
  };
}
