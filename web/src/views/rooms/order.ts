import { useState } from "react";

/** Keep the order of the rows while the pointer is over them. New rooms are appended. */
export function stableOrder(shown: readonly string[], latest: readonly string[]): readonly string[] {
  const there = new Set(latest);
  const kept = shown.filter((id) => there.has(id));
  const known = new Set(kept);
  return [...kept, ...latest.filter((id) => !known.has(id))];
}

export function useStableOrder(latest: readonly string[], held: boolean): readonly string[] {
  const [shown, setShown] = useState({ latest, order: latest, held });
  if (shown.latest === latest && shown.held === held) return shown.order;
  const order = held ? stableOrder(shown.order, latest) : latest;
  setShown({ latest, order, held });
  return order;
}
