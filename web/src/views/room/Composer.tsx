import { useEffect, useLayoutEffect, useRef, useState, type RefObject } from "react";

import { useClientState, useStore } from "../../app/client.ts";
import { closePopup, openEmoji } from "../../app/overlay.ts";
import type { RoomStore } from "../../core/index.ts";
import { useTexts } from "../../i18n/index.ts";
import { IconButton } from "../../ui/Button.tsx";
import { AttachButton, CharacterCount, SendButton } from "./ComposerParts.tsx";
import { ComposerContext } from "./ComposerContext.tsx";
import { useDraft, type DraftText } from "./draft-text.ts";
import { fitHeight, insertAtCaret, isComposing } from "./text-field.ts";
import { lastOwnMessage } from "./last-own-message.ts";
import { Mentions, useCandidates, useMentions } from "./Mentions.tsx";
import type { ComposerMode } from "./RoomPage.tsx";
import { useSending } from "./sending.ts";
import { TrayView } from "./AttachmentTray.tsx";
import type { AttachmentTray } from "./attachment-tray.ts";
import { ComposerField } from "./ComposerField.tsx";

interface ComposerProps {
  store: RoomStore;
  mode: ComposerMode;
  onMode: (mode: ComposerMode) => void;
  tray: AttachmentTray;
  onSent: () => void;
}

export function Composer(props: ComposerProps) {
  const { store, mode, tray } = props;
  const texts = useTexts();
  const { field, draft, caret, mentions, sending, stop, onKeyDown } = useComposing(props);
  const editing = mode.kind === "edit";
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
        <ComposerContext mode={mode} onStop={stop} />
        <TrayView tray={tray} />
        <div className="composer-line">
          <AttachButton tray={tray} field={field} disabled={editing} />
          <ComposerField
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

/** The state and the keyboard handling of the composer. */
function useComposing({ store, mode, onMode, tray, onSent }: ComposerProps) {
  const field = useRef<HTMLTextAreaElement>(null);
  const draft = useDraft(store.roomId, mode.kind === "reply" ? mode.message.seq : null, field);
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
  const sending = useSending({ store, mode, onMode, draft, tray, candidates, onSent });
  const stop = () => onMode({ kind: "new" });
  useRestoredReply(store, onMode);
  useEditedText(mode, draft);
  useFieldFocus(field, mode);
  useEffect(() => fitHeight(field.current), [draft.text]);

  function onKeyDown(event: React.KeyboardEvent) {
    if (isComposing(event) || mentions.onKeyDown(event)) return;
    const message =
      event.key === "ArrowUp" && draft.text === "" && mode.kind === "new" ? lastOwnMessage(store) : null;
    if (event.key === "Enter" && !event.shiftKey) sending.send();
    else if (event.key === "Escape" && mode.kind !== "new") stop();
    else if (message) onMode({ kind: "edit", message });
    else return;
    event.preventDefault();
  }
  return { field, draft, caret, mentions, sending, stop, onKeyDown };
}

/** The position of the caret, and a function that moves it after the next render. */
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

/** Show the text of the message that is being edited. The draft returns afterwards. */
function useEditedText(mode: ComposerMode, { replaceTemporarily, restore }: DraftText): void {
  const body = mode.kind === "edit" ? mode.message.body : null;
  useEffect(() => {
    if (body === null) return;
    replaceTemporarily(body);
    return restore;
  }, [body, replaceTemporarily, restore]);
}

/** Focus the field. On touch devices only for a reply or an edit, because the keyboard covers half the screen. */
function useFieldFocus(field: RefObject<HTMLTextAreaElement | null>, mode: ComposerMode): void {
  useEffect(() => {
    if (mode.kind === "new" && !window.matchMedia("(pointer: fine)").matches) return;
    field.current?.focus({ preventScroll: true });
  }, [field, mode]);
}

/** Restore the quoted message of a draft. */
function useRestoredReply(store: RoomStore, onMode: (mode: ComposerMode) => void): void {
  const replyTo = useClientState((state) => state.drafts.get(store.roomId)?.replyTo);
  const [wanted, setWanted] = useState(replyTo);
  const message = useStore(store, (state) => {
    if (wanted === undefined) return null;
    const entry = state.entries.find((one) => one.kind === "message" && one.message.seq === wanted);
    return entry?.kind === "message" ? entry.message : (state.quoted.get(wanted) ?? null);
  });
  useEffect(() => {
    if (!message) return;
    onMode({ kind: "reply", message });
    // eslint-disable-next-line react-hooks/set-state-in-effect
    setWanted(undefined);
  }, [message, onMode]);
}
