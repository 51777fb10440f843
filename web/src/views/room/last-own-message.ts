import type { Message, RoomStore } from "../../core/index.ts";

/** One's last message that can still be changed. */
export function lastOwnMessage(store: RoomStore): Message | null {
  const entry = store
    .getSnapshot()
    .entries.findLast(
      (one) =>
        one.kind === "message" && one.mine && one.message.deleted !== true && one.removingUntil === undefined,
    );
  return entry?.kind === "message" ? entry.message : null;
}
