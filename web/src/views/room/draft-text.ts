/** The text of the composer: kept as the room's draft at each pause, and taken over from other tabs. */
import { useCallback, useEffect, useRef, useState, type RefObject } from "react";

import { useActions, useClient, useClientState } from "../../app/client.ts";

const PAUSE_MS = 250;

export interface DraftText {
  text: string;
  change: (text: string) => void;
  /** Another text for a while, such as that of a message being edited; the draft stays. */
  replaceTemporarily: (text: string) => void;
  restore: () => void;
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
  const [replaced, setReplaced] = useState(false);
  const latest = useRef({ text, replyTo, replaced, dirty: false });
  const timer = useRef<number | undefined>(undefined);

  useEffect(() => {
    Object.assign(latest.current, { text, replyTo, replaced });
  }, [text, replyTo, replaced]);

  const save = useCallback(() => {
    window.clearTimeout(timer.current);
    const now = latest.current;
    if (!now.dirty || now.replaced) return;
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
    save();
  }, [replyTo, save]);

  // What another tab wrote shows here, unless one is writing here.
  if (saved !== seen) {
    setSeen(saved);
    if (!replaced && document.activeElement?.hasAttribute("data-composer") !== true)
      setText(saved?.text ?? "");
  }

  useEffect(() => {
    const element = field.current;
    window.addEventListener("pagehide", save);
    element?.addEventListener("blur", save);
    return () => {
      window.removeEventListener("pagehide", save);
      element?.removeEventListener("blur", save);
      save();
    };
  }, [save, field]);

  const change = useCallback(
    (next: string) => {
      setText(next);
      Object.assign(latest.current, { text: next, dirty: true });
      window.clearTimeout(timer.current);
      timer.current = window.setTimeout(save, PAUSE_MS);
    },
    [save],
  );
  const replaceTemporarily = useCallback(
    (other: string) => {
      save();
      setReplaced(true);
      latest.current.replaced = true;
      setText(other);
    },
    [save],
  );
  const restore = useCallback(() => {
    setReplaced(false);
    Object.assign(latest.current, { replaced: false, dirty: false });
    setText(client.state.getSnapshot().drafts.get(roomId)?.text ?? "");
  }, [client, roomId]);
  const clear = useCallback(() => {
    window.clearTimeout(timer.current);
    Object.assign(latest.current, { text: "", dirty: false });
    setText("");
    setDraft(roomId, null);
  }, [roomId, setDraft]);
  return { text, change, replaceTemporarily, restore, clear };
}
