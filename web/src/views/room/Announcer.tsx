import { useEffect, useRef, useState } from "react";

import { useClientState, useStore } from "../../app/client.ts";
import type { RoomStore } from "../../core/index.ts";
import { useTexts } from "../../i18n/index.ts";
import { nameOf, previewOf } from "../../format/text.ts";

/** Announces new messages to screen readers. The log itself is not live, because scrolling changes it too. */
export function Announcer({ store, me }: { store: RoomStore; me: string }) {
  const texts = useTexts();
  const profiles = useClientState((state) => state.profiles);
  const latest = useStore(store, (state) => state.entries.findLast((entry) => entry.kind === "message"));
  const [said, setSaid] = useState("");
  const lastSeq = useRef(latest?.message.seq ?? 0);
  useEffect(() => {
    if (!latest || latest.message.seq <= lastSeq.current) return;
    lastSeq.current = latest.message.seq;
    const { message } = latest;
    if (message.sender_id === me || message.deleted === true) return;
    const text = texts.room.newMessage(
      nameOf(profiles.get(message.sender_id), texts),
      previewOf(message, texts),
    );
    const timer = window.setTimeout(() => setSaid(text));
    return () => window.clearTimeout(timer);
  }, [latest, me, profiles, texts]);
  return (
    <div className="sr-only" aria-live="polite" data-announcer>
      {said}
    </div>
  );
}
