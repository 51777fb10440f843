/** A common view of stored and pending messages. */
import type { Attachment, Entry, Message, DomainError } from "../../core/index.ts";

export interface MessageView {
  /** null while the message is pending. */
  message: Message | null;
  clientId: string;
  mine: boolean;
  senderId: string;
  body: string;
  at: Date;
  editedAt: Date | null;
  deleted: boolean;
  replyTo: number | null;
  attachments: readonly Attachment[];
  mentions: readonly string[];
  status: "there" | "pending" | "sent" | "failed";
  error: DomainError | null;
}

export function messageViewOf(entry: Exclude<Entry, { kind: "system" }>, me: string): MessageView {
  if (entry.kind === "pending") {
    const { pending } = entry;
    return {
      message: null,
      clientId: pending.clientId,
      mine: true,
      senderId: me,
      body: pending.body,
      at: new Date(pending.at),
      editedAt: null,
      deleted: false,
      replyTo: pending.replyTo ?? null,
      attachments: pending.attachments,
      mentions: pending.mentions,
      status: pending.status === "stored" ? "there" : pending.status,
      error: pending.error ?? null,
    };
  }
  const { message } = entry;
  return {
    message,
    clientId: message.client_id,
    mine: entry.mine,
    senderId: message.sender_id,
    body: message.body,
    at: new Date(message.at),
    editedAt: message.edited_at == null ? null : new Date(message.edited_at),
    deleted: message.deleted === true || entry.removingUntil !== undefined,
    replyTo: message.reply_to ?? null,
    attachments: message.attachments ?? [],
    mentions: message.mentions ?? [],
    status: "there",
    error: null,
  };
}
