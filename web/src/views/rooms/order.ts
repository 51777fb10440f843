import { useState } from "react";

/** Keep the order of the rows while the pointer is over them. New rooms are appended. */
export function stableOrder(shown: readonly string[], latest: readonly string[]): readonly string[] {
  const there = new Set(latest);
  const kept = shown.filter((id) => there.has(id));
  const known = new Set(kept);
  return [...kept, ...latest.filter((id) => !known.has(id))];
}

export function useStableOrder(latest: readonly string[], frozen: boolean): readonly string[] {
  const [shown, setShown] = useState({ latest, order: latest, frozen });
  if (shown.latest === latest && shown.frozen === frozen) return shown.order;
  const order = frozen ? stableOrder(shown.order, latest) : latest;
  setShown({ latest, order, frozen });
  return order;
}
