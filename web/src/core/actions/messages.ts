// Actions for sending, changing, reading and searching messages.
import type { MessageActions } from "./index.ts";
import { done, paged, unauthenticated } from "./context.ts";
import type { Context } from "./context.ts";
import type { Drafts } from "../drafts.ts";
import { MAX_CHARACTERS, countCharacters } from "../limits.ts";
import { failure } from "../requests.ts";
import type { Reply } from "../requests.ts";
import type { UpdateBatch } from "../store.ts";
import type { Tabs } from "../tabs.ts";
import type { Result } from "../types.ts";
import { FileUpload } from "../upload.ts";
import { listFiles } from "./files.ts";

export interface MessageContext extends Context {
  readonly batch: UpdateBatch;
  readonly drafts: Drafts;
  readonly tabs: Tabs;
}

export function messageActions(context: MessageContext): MessageActions {
  const { api, session, batch, drafts, tabs } = context;
  return {
    send(roomId, { body, replyTo, mentions = [], attachments = [] }) {
      const current = session();
      if (!current) return unauthenticated();
      if (body.trim() === "" && attachments.length === 0)
        return failure("invalid", "There is nothing to send.");
      if (countCharacters(body) > MAX_CHARACTERS)
        return failure("too_large", "A message has 4,000 characters at most.");
      current.typing.set(roomId, false);
      const quote = replyTo === undefined ? {} : { replyTo };
      const clientId = current.outbox.add({ roomId, body, mentions, attachments, ...quote });
      void current.room(roomId).toLatest();
      batch.flush();
      return { ok: true, clientId };
    },
    retry: (clientId) => session()?.outbox.retry(clientId),
    discard: (clientId) => session()?.outbox.discard(clientId),
    edit: (roomId, seq, body) =>
      resultOf(session()?.request({ op: "message.edit", room_id: roomId, seq, body })),
    remove: (roomId, seq) => session()?.pendingDeletions.schedule(roomId, seq),
    undoRemove: (roomId, seq) => session()?.pendingDeletions.undo(roomId, seq),
    react: (roomId, seq, emoji, remove = false) =>
      resultOf(session()?.request({ op: "message.react", room_id: roomId, seq, emoji, remove })),
    markRead(roomId, seq) {
      const current = session();
      if (!current || seq <= current.readCursors.get(roomId)) return;
      const moved = current.read(roomId, seq);
      if (!moved && seq <= (current.userState.rooms.get(roomId)?.read_seq ?? 0)) return;
      current.readCursors.advance(roomId, seq);
      tabs.broadcast({ type: "read", roomId, seq });
    },
    setTyping: (roomId, typing) => session()?.typing.set(roomId, typing),
    setDraft: (roomId, draft) => drafts.set(roomId, draft),
    async searchMessages({ q, roomId, cursor }) {
      const query = {
        q,
        ...(roomId === undefined ? {} : { room_id: roomId }),
        ...(cursor === undefined ? {} : { cursor }),
      };
      return paged(await api.call("get", "/api/rooms/search", { query }));
    },
    listFiles: (roomId, before) => {
      const current = session();
      return current
        ? listFiles((frame) => current.request(frame), roomId, before)
        : Promise.resolve(unauthenticated());
    },
    upload: (file, roomId) => new FileUpload(batch, file, roomId),
  };
}

async function resultOf(reply: Promise<Reply> | undefined): Promise<Result> {
  const result = reply ? await reply : null;
  if (!result) return unauthenticated();
  return result.ok ? done({ ok: true, value: null }) : result;
}
