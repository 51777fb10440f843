/** The text of the composer. It is saved as the room's draft at each pause and follows other tabs. */
import { useCallback, useEffect, useRef, useState, type RefObject } from "react";

import { useActions, useClient, useClientState } from "../../app/client.ts";

const PAUSE_MS = 250;

export interface DraftText {
  text: string;
  change: (text: string) => void;
  /** Show another text, such as that of an edited message, without changing the draft. */
  replaceTemporarily: (text: string) => void;
  restore: () => void;
  clear: () => void;
}

/** The values of the latest render that `save` uses. */
interface Latest {
  text: string;
  replyTo: number | null;
  replaced: boolean;
  dirty: boolean;
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
  const latestRef = useRef<Latest>({ text, replyTo, replaced, dirty: false });
  const timerRef = useRef<number | undefined>(undefined);
  useEffect(() => {
    Object.assign(latestRef.current, { text, replyTo, replaced });
  }, [text, replyTo, replaced]);
  const save = useSave(roomId, latestRef, timerRef);
  useSaveOnReply(replyTo, latestRef, save);
  useSaveOnLeave(field, save);

  // Show the draft of another tab, unless the user is writing in this one.
  if (saved !== seen) {
    setSeen(saved);
    if (!replaced && document.activeElement?.hasAttribute("data-composer") !== true)
      setText(saved?.text ?? "");
  }

  const change = useCallback(
    (next: string) => {
      setText(next);
      Object.assign(latestRef.current, { text: next, dirty: true });
      window.clearTimeout(timerRef.current);
      timerRef.current = window.setTimeout(save, PAUSE_MS);
    },
    [save],
  );
  const replaceTemporarily = useCallback(
    (other: string) => {
      save();
      setReplaced(true);
      latestRef.current.replaced = true;
      setText(other);
    },
    [save],
  );
  const restore = useCallback(() => {
    setReplaced(false);
    Object.assign(latestRef.current, { replaced: false, dirty: false });
    setText(client.state.getSnapshot().drafts.get(roomId)?.text ?? "");
  }, [client, roomId]);
  const clear = useCallback(() => {
    window.clearTimeout(timerRef.current);
    Object.assign(latestRef.current, { text: "", dirty: false });
    setText("");
    setDraft(roomId, null);
  }, [roomId, setDraft]);
  return { text, change, replaceTemporarily, restore, clear };
}

function useSave(
  roomId: string,
  latestRef: RefObject<Latest>,
  timerRef: RefObject<number | undefined>,
): () => void {
  const { setDraft } = useActions();
  return useCallback(() => {
    window.clearTimeout(timerRef.current);
    const { text, replyTo, replaced, dirty } = latestRef.current;
    if (!dirty || replaced) return;
    latestRef.current.dirty = false;
    const empty = text === "" && replyTo === null;
    setDraft(roomId, empty ? null : { text, ...(replyTo === null ? {} : { replyTo }) });
  }, [roomId, latestRef, timerRef, setDraft]);
}

/** Save when another message is quoted, because the quote is part of the draft. */
function useSaveOnReply(replyTo: number | null, latestRef: RefObject<Latest>, save: () => void): void {
  const savedRef = useRef(replyTo);
  useEffect(() => {
    if (savedRef.current === replyTo) return;
    savedRef.current = replyTo;
    latestRef.current.dirty = true;
    save();
  }, [replyTo, latestRef, save]);
}

/** Save when the field loses the focus, the page is hidden or the composer is unmounted. */
function useSaveOnLeave(field: RefObject<HTMLTextAreaElement | null>, save: () => void): void {
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
}
