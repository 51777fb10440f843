import { Link, useSearchParams } from "wouter";

import { paths } from "../../app/paths.ts";
import { usePhone } from "../../app/screen.ts";
import { useTexts } from "../../i18n/index.ts";
import { Icon } from "../../ui/Icon.tsx";

/** A link back to the search results, which a message covers on a phone. */
export function BackToHits() {
  const [query] = useSearchParams();
  const phone = usePhone();
  const { room } = useTexts();
  const q = query.get("q");
  if (!phone || q === null) return null;
  const inRoom = query.get("room");
  return (
    <Link href={paths.search(inRoom === null ? { q } : { q, room: inRoom })} className="pill">
      <Icon name="back" />
      {room.backToHits}
    </Link>
  );
}
