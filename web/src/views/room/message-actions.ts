/** The actions of messages. All rows of a log share one object of stable functions. */
import { createContext, use, useMemo } from "react";

import { useClient } from "../../app/client.ts";
import { showFailure } from "../../app/notices.ts";
import { closePopup, openDialog, openEmoji, openMenu, toast, type MenuItem } from "../../app/overlay.ts";
import { paths } from "../../app/paths.ts";
import type { Client, Message, RoomStore } from "../../core/index.ts";
import { currentTexts } from "../../i18n/index.ts";

export interface MessageActions {
  store: RoomStore;
  me: string;
  react: (message: Message, emoji: string) => void;
  pickReaction: (anchor: Element, message: Message) => void;
  reply: (message: Message) => void;
  edit: (message: Message) => void;
  copy: (text: string) => void;
  more: (anchor: Element, message: Message) => void;
  jump: (seq: number) => void;
  readers: (seq: number) => void;
  /** Open the toolbar of a row and close any other. null closes it. */
  open: (key: string | null) => void;
}

export const MessageContext = createContext<MessageActions | null>(null);

export function useMessage(): MessageActions {
  const actions = use(MessageContext);
  if (!actions) throw new Error("A message must be inside of a MessageContext.");
  return actions;
}

/** The `tabIndex` of controls within a message. Tab reaches them only while the message has the focus. */
export const TabContext = createContext<0 | -1>(0);

export const useTabIndex = () => use(TabContext);

interface Options {
  store: RoomStore;
  me: string;
  onReply: (message: Message) => void;
  onEdit: (message: Message) => void;
  onJump: (seq: number) => void;
  setOpenKey: (key: string | null) => void;
}

export function useMessageActions({
  store,
  me,
  onReply,
  onEdit,
  onJump,
  setOpenKey,
}: Options): MessageActions {
  const client = useClient();
  return useMemo(() => {
    const react = (message: Message, emoji: string) => {
      const mine = message.reactions?.[emoji]?.includes(me) ?? false;
      void showFailure(client.actions.react(store.roomId, message.seq, emoji, mine));
    };
    const leave = <A extends unknown[]>(run: (...args: A) => void) => {
      return (...args: A) => {
        setOpenKey(null);
        run(...args);
      };
    };
    return {
      store,
      me,
      react,
      pickReaction: (anchor, message) =>
        openEmoji(anchor, (emoji) => {
          react(message, emoji);
          closePopup();
          setOpenKey(null);
        }),
      reply: leave(onReply),
      edit: leave(onEdit),
      copy: leave((text: string) => void copy(text)),
      more: (anchor, message) =>
        openMenu(anchor, currentTexts().message.actions, moreItems(client, store, me, message)),
      jump: onJump,
      readers: (seq) => openDialog({ kind: "readers", roomId: store.roomId, seq }),
      open: setOpenKey,
    };
  }, [client, store, me, onReply, onEdit, onJump, setOpenKey]);
}

async function copy(text: string): Promise<void> {
  const { message } = currentTexts();
  try {
    await navigator.clipboard.writeText(text);
    toast(message.copied);
  } catch {
    toast(message.copyFailed);
  }
}

function moreItems(client: Client, { roomId }: RoomStore, me: string, message: Message): MenuItem[] {
  const { actions } = client;
  const texts = currentTexts().message;
  const room = client.state.getSnapshot().rooms.get(roomId);
  const rules = room?.kind === "group" && room.role !== "member";
  const pinned = room?.pinned_seq === message.seq;
  const items: MenuItem[] = [
    {
      icon: "check",
      label: texts.readers,
      run: () => openDialog({ kind: "readers", roomId, seq: message.seq }),
    },
    {
      icon: "link",
      label: texts.copyLink,
      run: () => void copy(location.origin + paths.message(roomId, message.seq)),
    },
  ];
  if (rules) {
    const run = () => void showFailure(actions.pin(roomId, pinned ? null : message.seq));
    items.push({ icon: "pin", label: pinned ? texts.unpin : texts.pin, run });
  }
  if (message.sender_id === me || rules) {
    items.push({
      icon: "trash",
      label: texts.remove,
      danger: true,
      run: () => remove(client, roomId, message.seq),
    });
  }
  return items;
}

function remove({ actions }: Client, roomId: string, seq: number): void {
  const { message, undo } = currentTexts();
  actions.remove(roomId, seq);
  toast(message.removed, { label: undo, run: () => actions.undoRemove(roomId, seq) });
}
