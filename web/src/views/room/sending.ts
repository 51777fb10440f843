/** What pressing Enter does: a new message goes out, or a change of an earlier one. */
import { useActions } from "../../app/client.ts";
import { showFailure } from "../../app/notices.ts";
import { toast } from "../../app/overlay.ts";
import type { Message, RoomStore } from "../../core/index.ts";
import { useTexts } from "../../i18n/index.ts";
import { mentionedIn, type Candidate } from "../../format/mentions.ts";
import { errorText } from "../../format/errors.ts";
import type { DraftText } from "./draft.ts";
import type { Writing } from "./RoomPage.tsx";
import type { Tray } from "./tray.ts";

const LIMIT = 4000;

interface Given {
  store: RoomStore;
  writing: Writing;
  onWriting: (writing: Writing) => void;
  draft: DraftText;
  tray: Tray;
  candidates: readonly Candidate[];
  onSent: () => void;
}

export interface Sending {
  send: () => void;
  ready: boolean;
  /** Characters above the limit; below zero: how many more there may be. */
  over: number;
}

export function useSending({ store, writing, onWriting, draft, tray, candidates, onSent }: Given): Sending {
  const { roomId } = store;
  const texts = useTexts();
  const actions = useActions();
  const body = draft.text.trim();
  const over = draft.text.length - LIMIT;
  const files = writing.about === "edit" ? 0 : tray.items.filter((item) => item.error === null).length;
  const ready = over <= 0 && (body !== "" || files > 0);

  const saveEdit = async (message: Message) => {
    onWriting({ about: "new" });
    if (body !== message.body) await showFailure(actions.edit(roomId, message.seq, body));
  };
  const sendNew = () => {
    const attachments = tray.take();
    if (attachments === null) {
      toast(texts.composer.keepWaiting);
      return;
    }
    const reply = writing.about === "reply" ? { replyTo: writing.message.seq } : {};
    const sent = actions.send(roomId, {
      body,
      ...reply,
      mentions: mentionedIn(body, candidates),
      attachments,
    });
    if (!sent.ok) {
      toast(errorText(sent.error, texts));
      return;
    }
    actions.setTyping(roomId, false);
    draft.clear();
    onWriting({ about: "new" });
    onSent();
  };
  const send = () => {
    if (!ready) return;
    if (writing.about === "edit") void saveEdit(writing.message);
    else sendNew();
  };
  return { send, ready, over };
}
