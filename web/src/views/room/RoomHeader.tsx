import { useEffect } from "react";
import { Link, useLocation } from "wouter";

import { useActions, useClientState, useMe, useStore } from "../../app/client.ts";
import { openDialog } from "../../app/overlay.ts";
import { paths } from "../../app/paths.ts";
import { usePhone } from "../../app/screen.ts";
import type { RoomStore } from "../../core/index.ts";
import { useTexts } from "../../i18n/index.ts";
import { IconButton } from "../../ui/Button.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { nameOf, titleOf } from "../../format/text.ts";

const NAMES = 4;

export function RoomHeader({
  store,
  detailsShown,
  onDetails,
}: {
  store: RoomStore;
  detailsShown: boolean;
  onDetails: () => void;
}) {
  const texts = useTexts();
  const phone = usePhone();
  const [, go] = useLocation();
  const profiles = useClientState((state) => state.profiles);
  const room = useClientState((state) => state.rooms.get(store.roomId));
  const title = room ? titleOf(room, profiles, texts) : texts.loading;
  return (
    <header className="room-header">
      {phone && (
        <Link href={paths.rooms} className="icon-button back" aria-label={texts.back}>
          <Icon name="back" />
        </Link>
      )}
      <div className="room-header-text">
        <h1 className="ellipsis" title={title}>
          {title}
        </h1>
        <p className="ellipsis">
          {room?.kind === "group" && <MemberNames store={store} />}
          {room?.peer_id != null && <PeerLine userId={room.peer_id} />}
        </p>
      </div>
      <IconButton
        icon="search"
        label={texts.room.find}
        onClick={() => go(paths.search({ room: store.roomId }))}
      />
      <IconButton
        icon="menu"
        label={detailsShown ? texts.room.detailsClose : texts.room.details}
        onClick={onDetails}
      />
    </header>
  );
}

function MemberNames({ store }: { store: RoomStore }) {
  const texts = useTexts();
  const me = useMe();
  const members = useStore(store, (state) => state.members);
  const profiles = useClientState((state) => state.profiles);
  const { loadProfiles } = useActions();
  const others = members.filter((member) => member.user_id !== me.user_id);
  useEffect(() => {
    loadProfiles(members.map((member) => member.user_id));
  }, [members, loadProfiles]);
  if (members.length === 0) return "\u00a0";
  const known = others.flatMap(({ user_id }) => profiles.get(user_id) ?? []).slice(0, NAMES);
  const names = known.map((profile) => nameOf(profile, texts)).join(", ");
  return texts.room.more(names === "" ? texts.me : names, members.length);
}

function PeerLine({ userId }: { userId: string }) {
  const texts = useTexts();
  const profile = useClientState((state) => state.profiles.get(userId));
  const online = useClientState((state) => state.presence.get(userId) === "online");
  const { watchPresence } = useActions();
  useEffect(() => {
    watchPresence("room", [userId]);
    return () => watchPresence("room", []);
  }, [userId, watchPresence]);
  const status = profile?.status_message ?? "";
  const here = online ? texts.online : texts.offline;
  return (
    <button type="button" onClick={() => openDialog({ kind: "profile", userId })}>
      {status === "" ? here : `${here} · ${status}`}
    </button>
  );
}
