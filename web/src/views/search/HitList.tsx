import type { ReactNode } from "react";

import { useTexts } from "../../i18n/index.ts";
import { TextButton } from "../../ui/Button.tsx";

interface HitListProps {
  count: number;
  onMore: (() => void) | null;
  children: ReactNode;
}

/** A list of search results. Their number is announced to screen readers. */
export function HitList({ count, onMore, children }: HitListProps) {
  const { search } = useTexts();
  return (
    <>
      <p className="sr-only" role="status">
        {search.results(count)}
      </p>
      <ul>{children}</ul>
      {onMore && (
        <div className="list-more">
          <TextButton onClick={onMore}>{search.more}</TextButton>
        </div>
      )}
    </>
  );
}
