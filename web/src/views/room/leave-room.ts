import { openDialog } from "../../app/overlay.ts";
import type { RoomSummary } from "../../core/index.ts";
import { currentTexts } from "../../i18n/index.ts";

/** Ask for confirmation, with the consequences for this kind of room. */
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
