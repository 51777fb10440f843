import type { Message, RoomStore } from "../../core/index.ts";

/** Return the user's last message that can be edited. */
export function lastOwnMessage(store: RoomStore): Message | null {
  const entry = store
    .getSnapshot()
    .entries.findLast(
      (one) =>
        one.kind === "message" && one.mine && one.message.deleted !== true && one.removingUntil === undefined,
    );
  return entry?.kind === "message" ? entry.message : null;
}
