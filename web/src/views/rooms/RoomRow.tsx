import { memo } from "react";
import { Link } from "wouter";

import { useClientState, useMe } from "../../app/client.ts";
import { paths } from "../../app/paths.ts";
import { useNow } from "../../app/time.ts";
import type { Message, RoomSummary } from "../../core/index.ts";
import { useLanguage, useTexts } from "../../i18n/index.ts";
import { Badge } from "../../ui/Badge.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { exactTime, listTime } from "../../format/locale.ts";
import { plainText } from "../../format/markup.ts";
import { nameOf, previewOf, titleOf } from "../../format/text.ts";
import { RoomAvatar } from "./RoomAvatar.tsx";

export const RoomRow = memo(function RoomRow({ roomId, selected }: { roomId: string; selected: boolean }) {
  const room = useClientState((state) => state.rooms.get(roomId));
  if (!room) return null;
  return <Row room={room} selected={selected} />;
});

function Row({ room, selected }: { room: RoomSummary; selected: boolean }) {
  const texts = useTexts();
  const language = useLanguage();
  const now = useNow();
  const profiles = useClientState((state) => state.profiles);
  const at = new Date(room.activity);
  return (
    <Link
      href={paths.room(room.room_id)}
      className="room-row"
      aria-current={selected ? "page" : undefined}
      data-room={room.room_id}
    >
      <RoomAvatar room={room} size={44} dot />
      <span>
        <span className="room-row-line">
          <span className="room-row-title ellipsis">{titleOf(room, profiles, texts)}</span>
          {room.kind === "group" && (
            <span className="room-row-count">
              <span aria-hidden="true">{room.member_count}</span>
              <span className="sr-only">{texts.rooms.members(room.member_count)}</span>
            </span>
          )}
          {room.muted && (
            <span title={texts.rooms.muted}>
              <Icon name="muted" small />
              <span className="sr-only">{texts.rooms.muted}</span>
            </span>
          )}
          <time className="room-row-time" dateTime={at.toISOString()} title={exactTime(at, language)}>
            {listTime(at, language, texts, now)}
          </time>
        </span>
        <span className="room-row-line">
          <Preview room={room} />
          <Badge count={room.unread} label={texts.nav.unread(room.unread)} muted={room.muted} />
        </span>
      </span>
    </Link>
  );
}

function Preview({ room }: { room: RoomSummary }) {
  const texts = useTexts();
  const draft = useClientState((state) => state.drafts.get(room.room_id));
  const failed = useClientState((state) => state.failedRooms.has(room.room_id));
  if (failed) return <span className="room-row-preview draft-mark ellipsis">{texts.rooms.failed}</span>;
  if (draft && draft.text.trim() !== "") {
    return (
      <span className="room-row-preview ellipsis">
        <span className="draft-mark">{texts.rooms.draft}</span> {plainText(draft.text)}
      </span>
    );
  }
  return (
    <span className="room-row-preview ellipsis">
      {room.last_message ? <LastMessage room={room} message={room.last_message} /> : texts.rooms.noMessages}
    </span>
  );
}

function LastMessage({ room, message }: { room: RoomSummary; message: Message }) {
  const texts = useTexts();
  const me = useMe();
  const sender = useClientState((state) => state.profiles.get(message.sender_id));
  const preview = previewOf(message, texts);
  if (room.kind === "direct") return preview;
  return message.sender_id === me.user_id ? texts.rooms.you(preview) : `${nameOf(sender, texts)}: ${preview}`;
}
