import { useEffect, useLayoutEffect, useRef, useState } from "react";

import { useActions, useClientState, useStore } from "../../app/client.ts";
import { closePopup, openEmoji, toast } from "../../app/overlay.ts";
import type { RoomStore } from "../../core/index.ts";
import { useTexts } from "../../i18n/index.ts";
import { IconButton } from "../../ui/Button.tsx";
import { mentionedIn } from "../logic/mentions.ts";
import { problemText } from "../logic/problems.ts";
import { ComposerContext } from "./ComposerContext.tsx";
import { useDraft } from "./draft.ts";
import { fitHeight, isComposing, insertAtCaret } from "./field.ts";
import { lastOwn } from "./last-own.ts";
import { Mentions, useCandidates, useMentions } from "./Mentions.tsx";
import type { Writing } from "./RoomPage.tsx";
import { TrayList } from "./TrayList.tsx";
import type { Tray } from "./tray.ts";
import { tell } from "./message-actions.ts";

const LIMIT = 4000;

interface ComposerProps {
  store: RoomStore;
  writing: Writing;
  onWriting: (writing: Writing) => void;
  tray: Tray;
  onSent: () => void;
}

export function Composer({ store, writing, onWriting, tray, onSent }: ComposerProps) {
  const { roomId } = store;
  const texts = useTexts();
  const actions = useActions();
  const field = useRef<HTMLTextAreaElement>(null);
  const files = useRef<HTMLInputElement>(null);
  const replyTo = writing.about === "reply" ? writing.message.seq : null;
  const draft = useDraft(roomId, replyTo, field);
  const [caret, setCaret] = useState(0);
  const [moveTo, setMoveTo] = useState<{ place: number } | null>(null);
  const candidates = useCandidates(store);
  const mentions = useMentions({ text: draft.text, caret, candidates, onComplete });
  const { borrow, giveBack } = draft;
  const editing = writing.about === "edit" ? writing.message : null;
  useRestoredReply(store, onWriting);

  useEffect(() => {
    if (!editing) return;
    borrow(editing.body);
    return giveBack;
  }, [editing, borrow, giveBack]);
  useEffect(() => {
    if (writing.about !== "new" || window.matchMedia("(pointer: fine)").matches) {
      field.current?.focus({ preventScroll: true });
    }
  }, [writing]);
  useEffect(() => fitHeight(field.current), [draft.text]);
  useLayoutEffect(() => {
    if (moveTo) field.current?.setSelectionRange(moveTo.place, moveTo.place);
  }, [moveTo]);

  function onComplete(text: string, place: number) {
    draft.change(text);
    setCaret(place);
    setMoveTo({ place });
  }

  function onText(element: HTMLTextAreaElement) {
    draft.change(element.value);
    setCaret(element.selectionStart);
    if (!editing) actions.setTyping(roomId, element.value.trim() !== "");
  }

  const over = draft.text.length - LIMIT;
  const empty = draft.text.trim() === "" && !tray.items.some((item) => item.refusal === null);

  async function saveEdit() {
    if (!editing) return;
    const body = draft.text.trim();
    if (body === "" || over > 0) return;
    onWriting({ about: "new" });
    if (body !== editing.body) await tell(actions.edit(roomId, editing.seq, body));
  }

  function send() {
    if (editing) {
      void saveEdit();
      return;
    }
    if (empty || over > 0) return;
    const attachments = tray.take();
    if (attachments === null) {
      toast(texts.composer.keepWaiting);
      return;
    }
    const body = draft.text.trim();
    const sent = actions.send(roomId, {
      body,
      ...(replyTo === null ? {} : { replyTo }),
      mentions: mentionedIn(body, candidates),
      attachments,
    });
    if (!sent.ok) {
      toast(problemText(sent.problem, texts));
      return;
    }
    actions.setTyping(roomId, false);
    draft.clear();
    onWriting({ about: "new" });
    onSent();
  }

  function onKeyDown(event: React.KeyboardEvent<HTMLTextAreaElement>) {
    if (isComposing(event)) return;
    if (mentions.onKeyDown(event)) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      send();
    } else if (event.key === "Escape" && writing.about !== "new") {
      event.preventDefault();
      onWriting({ about: "new" });
    } else if (event.key === "ArrowUp" && draft.text === "" && writing.about === "new") {
      const message = lastOwn(store);
      if (!message) return;
      event.preventDefault();
      onWriting({ about: "edit", message });
    }
  }

  return (
    <div className="composer-area">
      {mentions.open && <Mentions {...mentions} />}
      <form
        className="composer"
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <ComposerContext writing={writing} onStop={() => onWriting({ about: "new" })} />
        <TrayList tray={tray} />
        <div className="composer-line">
          <input
            ref={files}
            type="file"
            multiple
            hidden
            aria-label={texts.composer.attach}
            onChange={(event) => {
              tray.add([...(event.target.files ?? [])]);
              event.target.value = "";
              field.current?.focus();
            }}
          />
          <IconButton
            icon="plus"
            label={texts.composer.attach}
            disabled={editing !== null}
            onClick={() => files.current?.click()}
          />
          <textarea
            ref={field}
            data-composer
            rows={1}
            value={draft.text}
            aria-label={editing ? texts.composer.editing : texts.composer.label}
            placeholder={texts.composer.placeholder}
            enterKeyHint="send"
            {...mentions.field}
            onChange={(event) => onText(event.target)}
            onSelect={(event) => setCaret(event.currentTarget.selectionStart)}
            onKeyDown={onKeyDown}
            onBlur={() => actions.setTyping(roomId, false)}
            onPaste={(event) => {
              const pasted = [...event.clipboardData.files];
              if (pasted.length === 0 || editing) return;
              event.preventDefault();
              tray.add(pasted);
            }}
          />
          {over > -200 && (
            <span
              className={over > 0 ? "composer-count over" : "composer-count"}
              title={over > 0 ? texts.composer.tooLong(over) : undefined}
              role="status"
            >
              {over > 0 ? texts.composer.tooLong(over) : -over}
            </span>
          )}
          <IconButton
            icon="smile"
            label={texts.composer.emoji}
            aria-haspopup="dialog"
            onClick={(event) =>
              openEmoji(event.currentTarget, (emoji) => {
                closePopup();
                insertAtCaret(field.current, emoji);
              })
            }
          />
          <button
            type="submit"
            className="icon-button send"
            aria-label={editing ? texts.save : texts.composer.send}
            disabled={empty || over > 0}
            // The field keeps the focus, so that a phone's keyboard stays.
            onPointerDown={(event) => event.preventDefault()}
          >
            <SendIcon editing={editing !== null} />
          </button>
        </div>
      </form>
    </div>
  );
}

function SendIcon({ editing }: { editing: boolean }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" strokeWidth="2">
      <path d={editing ? "M5 12.5l4.5 4.5L19 7.5" : "M12 19V5.5M6 11.5 12 5.5l6 6"} />
    </svg>
  );
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
