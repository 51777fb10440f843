import { useClientState } from "../../app/client.ts";
import type { RoomSummary } from "../../core/index.ts";
import { useTexts } from "../../i18n/index.ts";
import { Avatar, GroupAvatar } from "../../ui/Avatar.tsx";
import { nameOf, titleOf } from "../../format/text.ts";

export function RoomAvatar({ room, size, dot = false }: { room: RoomSummary; size: number; dot?: boolean }) {
  const texts = useTexts();
  const peerId = room.peer_id ?? "";
  const peer = useClientState((state) => state.profiles.get(peerId));
  const online = useClientState((state) => state.presence.get(peerId) === "online");
  if (room.kind === "group") {
    return <GroupAvatar id={room.room_id} title={titleOf(room, new Map(), texts)} size={size} />;
  }
  return (
    <Avatar
      id={peerId}
      name={peer ? nameOf(peer, texts) : "·"}
      size={size}
      picture={peer?.avatar_url}
      online={dot && online}
    />
  );
}
