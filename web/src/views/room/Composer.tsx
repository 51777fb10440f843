import { useEffect, useLayoutEffect, useRef, useState, type RefObject } from "react";

import { useClientState, useStore } from "../../app/client.ts";
import { closePopup, openEmoji } from "../../app/overlay.ts";
import type { RoomStore } from "../../core/index.ts";
import { useTexts } from "../../i18n/index.ts";
import { IconButton } from "../../ui/Button.tsx";
import { AttachButton, CharacterCount, SendButton } from "./ComposerParts.tsx";
import { ComposerContext } from "./ComposerContext.tsx";
import { useDraft, type DraftText } from "./draft.ts";
import { fitHeight, insertAtCaret, isComposing } from "./field.ts";
import { lastOwn } from "./last-own.ts";
import { Mentions, useCandidates, useMentions } from "./Mentions.tsx";
import type { Writing } from "./RoomPage.tsx";
import { useSending } from "./sending.ts";
import { TrayList } from "./TrayList.tsx";
import type { Tray } from "./tray.ts";
import { WritingField } from "./WritingField.tsx";

interface ComposerProps {
  store: RoomStore;
  writing: Writing;
  onWriting: (writing: Writing) => void;
  tray: Tray;
  onSent: () => void;
}

export function Composer(props: ComposerProps) {
  const { store, writing, tray } = props;
  const texts = useTexts();
  const { field, draft, caret, mentions, sending, stop, onKeyDown } = useComposing(props);
  const editing = writing.about === "edit";
  const pickEmoji = (from: HTMLElement) =>
    openEmoji(from, (emoji) => {
      closePopup(field.current);
      insertAtCaret(field.current, emoji);
    });
  return (
    <div className="composer-area">
      {mentions.open && <Mentions {...mentions} />}
      <form
        className="composer"
        onSubmit={(event) => {
          event.preventDefault();
          sending.send();
        }}
      >
        <ComposerContext writing={writing} onStop={stop} />
        <TrayList tray={tray} />
        <div className="composer-line">
          <AttachButton tray={tray} field={field} disabled={editing} />
          <WritingField
            roomId={store.roomId}
            field={field}
            editing={editing}
            draft={draft}
            onCaret={caret.set}
            onFiles={tray.add}
            onKeyDown={onKeyDown}
            aria={mentions.field}
          />
          <CharacterCount over={sending.over} />
          <IconButton
            icon="smile"
            label={texts.composer.emoji}
            aria-haspopup="dialog"
            onClick={(event) => pickEmoji(event.currentTarget)}
          />
          <SendButton editing={editing} disabled={!sending.ready} />
        </div>
      </form>
    </div>
  );
}

/** The text, the caret in it, what completes and what sends it, and the keys for all of them. */
function useComposing({ store, writing, onWriting, tray, onSent }: ComposerProps) {
  const field = useRef<HTMLTextAreaElement>(null);
  const draft = useDraft(store.roomId, writing.about === "reply" ? writing.message.seq : null, field);
  const candidates = useCandidates(store);
  const caret = useCaret(field);
  const mentions = useMentions({
    text: draft.text,
    caret: caret.place,
    candidates,
    onComplete: (text, place) => {
      draft.change(text);
      caret.move(place);
    },
  });
  const sending = useSending({ store, writing, onWriting, draft, tray, candidates, onSent });
  const stop = () => onWriting({ about: "new" });
  useRestoredReply(store, onWriting);
  useBorrowedText(writing, draft);
  useFieldFocus(field, writing);
  useEffect(() => fitHeight(field.current), [draft.text]);

  function onKeyDown(event: React.KeyboardEvent) {
    if (isComposing(event) || mentions.onKeyDown(event)) return;
    const message =
      event.key === "ArrowUp" && draft.text === "" && writing.about === "new" ? lastOwn(store) : null;
    if (event.key === "Enter" && !event.shiftKey) sending.send();
    else if (event.key === "Escape" && writing.about !== "new") stop();
    else if (message) onWriting({ about: "edit", message });
    else return;
    event.preventDefault();
  }
  return { field, draft, caret, mentions, sending, stop, onKeyDown };
}

/** Where the caret is, and a way to move it once a changed text has been drawn. */
function useCaret(field: RefObject<HTMLTextAreaElement | null>) {
  const [place, set] = useState(0);
  const [wanted, setWanted] = useState<{ place: number } | null>(null);
  useLayoutEffect(() => {
    if (wanted) field.current?.setSelectionRange(wanted.place, wanted.place);
  }, [wanted, field]);
  const move = (to: number) => {
    set(to);
    setWanted({ place: to });
  };
  return { place, set, move };
}

/** While a message is edited its text stands in the field; the draft comes back afterwards. */
function useBorrowedText(writing: Writing, { borrow, giveBack }: DraftText): void {
  const body = writing.about === "edit" ? writing.message.body : null;
  useEffect(() => {
    if (body === null) return;
    borrow(body);
    return giveBack;
  }, [body, borrow, giveBack]);
}

/** One may write at once; on a phone the keyboard comes only when one answers or edits. */
function useFieldFocus(field: RefObject<HTMLTextAreaElement | null>, writing: Writing): void {
  useEffect(() => {
    if (writing.about === "new" && !window.matchMedia("(pointer: fine)").matches) return;
    field.current?.focus({ preventScroll: true });
  }, [field, writing]);
}

/** A draft may be an answer: what it answers comes back with it. */
function useRestoredReply(store: RoomStore, onWriting: (writing: Writing) => void): void {
  const replyTo = useClientState((state) => state.drafts.get(store.roomId)?.replyTo);
  const [wanted, setWanted] = useState(replyTo);
  const message = useStore(store, (state) => {
    if (wanted === undefined) return null;
    const entry = state.entries.find((one) => one.kind === "message" && one.message.seq === wanted);
    return entry?.kind === "message" ? entry.message : (state.quoted.get(wanted) ?? null);
  });
  useEffect(() => {
    if (!message) return;
    onWriting({ about: "reply", message });
    // eslint-disable-next-line react-hooks/set-state-in-effect
    setWanted(undefined);
  }, [message, onWriting]);
}
