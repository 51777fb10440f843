import { openDialog } from "../../app/overlay.ts";
import type { RoomSummary } from "../../core/index.ts";
import { currentTexts } from "../../i18n/index.ts";

/** Asks first, and says what leaving means for this room. */
export function leaveRoom(room: RoomSummary): void {
  const { details } = currentTexts();
  const owns = room.kind === "group" && room.role === "owner";
  const text = room.kind === "direct" ? details.leaveDirect : details.leaveGroup;
  openDialog({
    kind: "leave",
    roomId: room.room_id,
    title: details.leaveAsk,
    text: owns ? `${text} ${details.leaveOwner}` : text,
  });
}
