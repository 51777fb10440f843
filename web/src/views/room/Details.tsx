import { useEffect, useRef } from "react";

import { useActions, useClientState, useMe, useStore } from "../../app/client.ts";
import { showFailure } from "../../app/notices.ts";
import { openDialog } from "../../app/overlay.ts";
import { useNow } from "../../app/time.ts";
import type { RoomState, RoomStore, RoomSummary } from "../../core/index.ts";
import { useLanguage, useTexts } from "../../i18n/index.ts";
import { Avatar, GroupAvatar } from "../../ui/Avatar.tsx";
import { IconButton, TextButton } from "../../ui/Button.tsx";
import { Icon, type IconName } from "../../ui/Icon.tsx";
import { isPicture } from "./files.ts";
import { numberOf, shortDayOf } from "../../format/locale.ts";
import { nameOf, titleOf } from "../../format/text.ts";
import { PictureGrid } from "../PictureGrid.tsx";
import { leaveRoom } from "./leave-room.ts";
import { MemberList } from "./MemberList.tsx";

interface DetailsProps {
  store: RoomStore;
  /** True if the panel covers the log, false if it is beside it. */
  modal: boolean;
  onClose: () => void;
  onDate: (at: Date) => void;
}

export function Details({ store, modal, onClose, onDate }: DetailsProps) {
  const texts = useTexts();
  const room = useClientState((state) => state.rooms.get(store.roomId));
  const panel = useRef<HTMLElement>(null);
  useEffect(() => {
    if (modal) panel.current?.querySelector<HTMLElement>("button")?.focus();
  }, [modal]);
  if (!room) return null;
  return (
    <aside
      className="details"
      aria-label={texts.room.details}
      ref={panel}
      onKeyDown={(event) => {
        if (event.key === "Escape" && modal && !event.defaultPrevented) onClose();
      }}
    >
      <div className="details-bar">
        <IconButton icon="back" label={texts.room.detailsClose} onClick={onClose} />
        <span>{texts.room.details}</span>
      </div>
      <div className="scroll pane-body">
        <Head store={store} room={room} />
        <Toggles room={room} onDate={onDate} />
        <Files store={store} />
        <Members store={store} room={room} />
        <div className="details-actions">
          <TextButton danger onClick={() => leaveRoom(room)}>
            {texts.details.leave}
          </TextButton>
        </div>
      </div>
    </aside>
  );
}

function Head({ store, room }: { store: RoomStore; room: RoomSummary }) {
  const texts = useTexts();
  const language = useLanguage();
  const profiles = useClientState((state) => state.profiles);
  const peer = profiles.get(room.peer_id ?? "");
  const title = titleOf(room, profiles, texts);
  const now = useNow();
  const me = useMe().user_id;
  const joined = useStore(store, (state) => state.members.find((one) => one.user_id === me)?.joined_at);
  const count = numberOf(room.last_seq, language);
  return (
    <div className="details-head">
      {room.kind === "group" ? (
        <GroupAvatar id={room.room_id} title={title} size={64} />
      ) : (
        <button
          type="button"
          aria-label={texts.details.seeProfile}
          onClick={() => openDialog({ kind: "profile", userId: room.peer_id ?? "" })}
        >
          <Avatar id={room.peer_id ?? ""} name={nameOf(peer, texts)} size={64} picture={peer?.avatar_url} />
        </button>
      )}
      <h2>{title}</h2>
      <p>
        {joined === undefined
          ? texts.details.messages(count)
          : texts.details.since(shortDayOf(new Date(joined), language, now), count)}
      </p>
    </div>
  );
}

function Toggles({ room, onDate }: { room: RoomSummary; onDate: (at: Date) => void }) {
  const { details, room: texts } = useTexts();
  const { setMuted } = useActions();
  const roomId = room.room_id;
  return (
    <div className="details-toggles">
      <Toggle
        icon={room.muted ? "bell" : "muted"}
        label={room.muted ? details.unmute : details.mute}
        pressed={room.muted}
        run={() => void showFailure(setMuted(roomId, !room.muted))}
      />
      <Toggle
        icon="calendar"
        label={texts.toDate}
        run={() => openDialog({ kind: "date", roomId, onPick: onDate })}
      />
      {room.kind === "group" && room.role !== "member" && (
        <Toggle icon="edit" label={details.rename} run={() => openDialog({ kind: "rename", roomId })} />
      )}
    </div>
  );
}

function Toggle({
  icon,
  label,
  pressed,
  run,
}: {
  icon: IconName;
  label: string;
  pressed?: boolean;
  run: () => void;
}) {
  return (
    <button type="button" className="details-toggle" aria-pressed={pressed} onClick={run}>
      <Icon name={icon} />
      {label}
    </button>
  );
}

const GRID = 6;

const picturesOf = (entries: RoomState["entries"]) =>
  entries.flatMap((entry) =>
    entry.kind === "message" && entry.message.deleted !== true
      ? (entry.message.attachments ?? []).filter(isPicture)
      : [],
  );

function Files({ store }: { store: RoomStore }) {
  const { details } = useTexts();
  const entries = useStore(store, (state) => state.entries);
  const pictures = picturesOf(entries).slice(-GRID).reverse();
  const all = () => openDialog({ kind: "files", roomId: store.roomId });
  if (pictures.length === 0) {
    return (
      <button type="button" className="nav-row" onClick={all}>
        <Icon name="image" />
        {details.files}
      </button>
    );
  }
  return (
    <section aria-label={details.files}>
      <div className="section-title">
        <h3>{details.files}</h3>
        <TextButton onClick={all}>{details.allFiles}</TextButton>
      </div>
      <PictureGrid pictures={pictures} />
    </section>
  );
}

function Members({ store, room }: { store: RoomStore; room: RoomSummary }) {
  const { details } = useTexts();
  const members = useStore(store, (state) => state.members);
  return (
    <section aria-label={details.members(members.length)}>
      <div className="section-title">
        <h3>{details.members(members.length)}</h3>
        {room.kind === "group" && (
          <TextButton onClick={() => openDialog({ kind: "invite", roomId: room.room_id })}>
            {details.invite}
          </TextButton>
        )}
      </div>
      <MemberList members={members} room={room} />
    </section>
  );
}
