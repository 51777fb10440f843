/** The text of the composer: kept as the room's draft at each pause, and taken over from other tabs. */
import { useCallback, useEffect, useRef, useState, type RefObject } from "react";

import { useActions, useClient, useClientState } from "../../app/client.ts";

const PAUSE_MS = 250;

export interface DraftText {
  text: string;
  change: (text: string) => void;
  /** Another text for a while, such as that of a message being edited; the draft stays. */
  borrow: (text: string) => void;
  giveBack: () => void;
  clear: () => void;
}

export function useDraft(
  roomId: string,
  replyTo: number | null,
  field: RefObject<HTMLTextAreaElement | null>,
): DraftText {
  const client = useClient();
  const { setDraft } = useActions();
  const saved = useClientState((state) => state.drafts.get(roomId));
  const [text, setText] = useState(() => client.state.getSnapshot().drafts.get(roomId)?.text ?? "");
  const [seen, setSeen] = useState(saved);
  const [borrowed, setBorrowed] = useState(false);
  const latest = useRef({ text, replyTo, borrowed, dirty: false });
  const timer = useRef<number | undefined>(undefined);

  useEffect(() => {
    Object.assign(latest.current, { text, replyTo, borrowed });
  }, [text, replyTo, borrowed]);

  const keep = useCallback(() => {
    window.clearTimeout(timer.current);
    const now = latest.current;
    if (!now.dirty || now.borrowed) return;
    now.dirty = false;
    const empty = now.text === "" && now.replyTo === null;
    setDraft(
      roomId,
      empty ? null : { text: now.text, ...(now.replyTo === null ? {} : { replyTo: now.replyTo }) },
    );
  }, [roomId, setDraft]);

  // What is answered belongs to the draft as much as the text does.
  const answered = useRef(replyTo);
  useEffect(() => {
    if (answered.current === replyTo) return;
    answered.current = replyTo;
    latest.current.dirty = true;
    keep();
  }, [replyTo, keep]);

  // What another tab wrote shows here, unless one is writing here.
  if (saved !== seen) {
    setSeen(saved);
    if (!borrowed && document.activeElement?.hasAttribute("data-composer") !== true)
      setText(saved?.text ?? "");
  }

  useEffect(() => {
    const element = field.current;
    window.addEventListener("pagehide", keep);
    element?.addEventListener("blur", keep);
    return () => {
      window.removeEventListener("pagehide", keep);
      element?.removeEventListener("blur", keep);
      keep();
    };
  }, [keep, field]);

  const change = useCallback(
    (next: string) => {
      setText(next);
      Object.assign(latest.current, { text: next, dirty: true });
      window.clearTimeout(timer.current);
      timer.current = window.setTimeout(keep, PAUSE_MS);
    },
    [keep],
  );
  const borrow = useCallback(
    (other: string) => {
      keep();
      setBorrowed(true);
      latest.current.borrowed = true;
      setText(other);
    },
    [keep],
  );
  const giveBack = useCallback(() => {
    setBorrowed(false);
    Object.assign(latest.current, { borrowed: false, dirty: false });
    setText(client.state.getSnapshot().drafts.get(roomId)?.text ?? "");
  }, [client, roomId]);
  const clear = useCallback(() => {
    window.clearTimeout(timer.current);
    Object.assign(latest.current, { text: "", dirty: false });
    setText("");
    setDraft(roomId, null);
  }, [roomId, setDraft]);
  return { text, change, borrow, giveBack, clear };
}
