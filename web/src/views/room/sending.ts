/** Sends the text of the composer as a new message or as an edit. */
import { useActions } from "../../app/client.ts";
import { showFailure } from "../../app/notices.ts";
import { toast } from "../../app/overlay.ts";
import type { Message, RoomStore } from "../../core/index.ts";
import { MAX_CHARACTERS, countCharacters } from "../../core/limits.ts";
import { useTexts } from "../../i18n/index.ts";
import { mentionedIn, type Candidate } from "../../format/mentions.ts";
import { errorText } from "../../format/errors.ts";
import type { DraftText } from "./draft-text.ts";
import type { ComposerMode } from "./RoomPage.tsx";
import type { AttachmentTray } from "./attachment-tray.ts";

interface Options {
  store: RoomStore;
  mode: ComposerMode;
  onMode: (mode: ComposerMode) => void;
  draft: DraftText;
  tray: AttachmentTray;
  candidates: readonly Candidate[];
  onSent: () => void;
}

export interface Sending {
  send: () => void;
  ready: boolean;
  /** The number of characters above the limit. Negative if there is space left. */
  over: number;
}

export function useSending({ store, mode, onMode, draft, tray, candidates, onSent }: Options): Sending {
  const { roomId } = store;
  const texts = useTexts();
  const actions = useActions();
  const body = draft.text.trim();
  const over = countCharacters(body) - MAX_CHARACTERS;
  const files = mode.kind === "edit" ? 0 : tray.items.filter((item) => item.error === null).length;
  const ready = over <= 0 && (body !== "" || files > 0);

  const saveEdit = async (message: Message) => {
    onMode({ kind: "new" });
    if (body !== message.body) await showFailure(actions.edit(roomId, message.seq, body));
  };
  const sendNew = () => {
    const attachments = tray.take();
    if (attachments === null) {
      toast(texts.composer.uploadsRunning);
      return;
    }
    const reply = mode.kind === "reply" ? { replyTo: mode.message.seq } : {};
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
    onMode({ kind: "new" });
    onSent();
  };
  const send = () => {
    if (!ready) return;
    if (mode.kind === "edit") void saveEdit(mode.message);
    else sendNew();
  };
  return { send, ready, over };
}
