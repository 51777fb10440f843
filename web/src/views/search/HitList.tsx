import type { ReactNode } from "react";

import { useTexts } from "../../i18n/index.ts";
import { TextButton } from "../../ui/Button.tsx";

interface HitListProps {
  count: number;
  more: (() => void) | null;
  children: ReactNode;
}

/** What was found, how much it is said aloud, and a way to more. */
export function HitList({ count, more, children }: HitListProps) {
  const { search } = useTexts();
  return (
    <>
      <p className="sr-only" role="status">
        {search.results(count)}
      </p>
      <ul>{children}</ul>
      {more && (
        <div className="list-more">
          <TextButton onClick={more}>{search.more}</TextButton>
        </div>
      )}
    </>
  );
}
