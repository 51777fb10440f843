import { useEffect, useMemo } from "react";

import { useActions, useClient, useClientState, useMe } from "../../app/client.ts";
import { showFailure } from "../../app/notices.ts";
import { openDialog, openMenu, type MenuItem } from "../../app/overlay.ts";
import type { Client, Member, Profile, RoomSummary } from "../../core/index.ts";
import { currentTexts, useTexts } from "../../i18n/index.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import { IconButton } from "../../ui/Button.tsx";
import { nameOf } from "../../format/text.ts";

const MAX_WATCHED = 100;
const MAX_SHOWN = 200;
const ranks = { owner: 0, admin: 1, member: 2 };

export function MemberList({ members, room }: { members: readonly Member[]; room: RoomSummary }) {
  const me = useMe();
  const profiles = useClientState((state) => state.profiles);
  const { watchPresence, loadProfiles } = useActions();
  const sorted = useMemo(() => sort(members, me.user_id, profiles), [members, me, profiles]);
  const shown = sorted.slice(0, MAX_SHOWN);
  const watched = shown
    .slice(0, MAX_WATCHED)
    .map(({ user_id }) => user_id)
    .join();
  useEffect(() => {
    const ids = watched.split(",").filter(Boolean);
    loadProfiles(ids);
    watchPresence("members", ids);
    return () => watchPresence("members", []);
  }, [watched, watchPresence, loadProfiles]);
  return (
    <ul>
      {shown.map((member) => (
        <li key={member.user_id}>
          <MemberRow member={member} room={room} />
        </li>
      ))}
    </ul>
  );
}

function sort(
  members: readonly Member[],
  me: string,
  profiles: ReadonlyMap<string, Profile>,
): readonly Member[] {
  const name = (member: Member) => profiles.get(member.user_id)?.display_name ?? "\uffff";
  return [...members].sort(
    (a, b) =>
      Number(b.user_id === me) - Number(a.user_id === me) ||
      ranks[a.role] - ranks[b.role] ||
      name(a).localeCompare(name(b)),
  );
}

function MemberRow({ member, room }: { member: Member; room: RoomSummary }) {
  const texts = useTexts();
  const client = useClient();
  const me = useMe();
  const userId = member.user_id;
  const profile = useClientState((state) => state.profiles.get(userId));
  const online = useClientState((state) => state.presence.get(userId) === "online");
  const self = userId === me.user_id;
  const name = nameOf(profile, texts);
  const items = self ? [] : manageItems(client, room, member, name);
  return (
    <div className="member">
      <button type="button" className="person" onClick={() => openDialog({ kind: "profile", userId })}>
        <Avatar id={userId} name={name} picture={profile?.avatar_url} online={online || self} />
        <span className="person-text">
          <span className="person-name ellipsis">{self ? texts.withMe(name) : name}</span>
          {online && !self && <span className="sr-only">{texts.online}</span>}
        </span>
        {room.kind === "group" && member.role !== "member" && (
          <span className="person-side">{texts.details[member.role]}</span>
        )}
      </button>
      {items.length > 0 && (
        <IconButton
          icon="more"
          label={texts.details.memberMenu(name)}
          aria-haspopup="menu"
          onClick={(event) => openMenu(event.currentTarget, texts.details.memberMenu(name), items)}
        />
      )}
    </div>
  );
}

/** Return the menu for a member. Owners can manage everybody, admins only members. */
function manageItems(
  { actions }: Client,
  { room_id, kind, role }: RoomSummary,
  { user_id, role: theirs }: Member,
  name: string,
): MenuItem[] {
  const { details } = currentTexts();
  if (kind === "direct" || role === "member") return [];
  const items: MenuItem[] = [];
  if (role === "owner") {
    const next = theirs === "admin" ? "member" : "admin";
    items.push({
      icon: "person",
      label: theirs === "admin" ? details.makeMember : details.makeAdmin,
      run: () => void showFailure(actions.setRole(room_id, user_id, next)),
    });
    items.push({
      icon: "lock",
      label: details.makeOwner,
      run: () =>
        openDialog({
          kind: "confirm",
          title: details.makeOwnerAsk(name),
          text: details.makeOwnerText,
          action: details.makeOwner,
          run: () => showFailure(actions.setRole(room_id, user_id, "owner")),
        }),
    });
  }
  if (role === "owner" || theirs === "member") {
    items.push({
      icon: "leave",
      label: details.kick,
      danger: true,
      run: () =>
        openDialog({
          kind: "confirm",
          title: details.kickAsk(name),
          text: details.kickText,
          action: details.kick,
          danger: true,
          run: () => showFailure(actions.kick(room_id, user_id)),
        }),
    });
  }
  return items;
}
