import { useCallback, useEffect, useMemo, useRef, useState, type RefObject } from "react";
import { Link, useLocation } from "wouter";
import { Virtualizer } from "virtua";

import { useActions, useClientState, useMe, useProfile, useProfiles } from "../../app/client.ts";
import { openDialog } from "../../app/overlay.ts";
import { paths } from "../../app/paths.ts";
import type { Profile } from "../../core/index.ts";
import { useTexts } from "../../i18n/index.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import { IconButton } from "../../ui/Button.tsx";
import { EmptyState } from "../../ui/EmptyState.tsx";
import { SearchField } from "../../ui/SearchField.tsx";
import { ConnectionBar } from "../ConnectionBar.tsx";
import { matchesOf } from "../../format/mentions.ts";

const MAX_WATCHED = 60;

export default function FriendsPane({ selected }: { selected: string | null }) {
  const texts = useTexts();
  const [, go] = useLocation();
  const [query, setQuery] = useState("");
  const friends = useFriends();
  const found = query === "" ? friends : matchesOf(query, friends);
  useWatchedPresence(friends);
  const scroller = useRef<HTMLDivElement>(null);
  const search = () => go(paths.search({ kind: "people" }));
  return (
    <>
      <header className="pane-header">
        <h1>{texts.friends.title}</h1>
        <IconButton
          icon="chat"
          label={texts.friends.newGroup}
          disabled={friends.length === 0}
          onClick={() => openDialog({ kind: "new-chat" })}
        />
        <IconButton icon="addPerson" label={texts.friends.add} onClick={search} />
      </header>
      {friends.length > 0 && (
        <div className="pane-search">
          <SearchField
            label={texts.friends.find}
            value={query}
            onValue={setQuery}
            clearLabel={texts.remove}
          />
        </div>
      )}
      <ConnectionBar />
      <div className="pane-body scroll" ref={scroller}>
        {query === "" && <OwnRow selected={selected} />}
        {friends.length === 0 ? (
          <EmptyState drawing="people" title={texts.friends.emptyTitle} text={texts.friends.emptyText}>
            <button type="button" className="button primary" onClick={search}>
              {texts.friends.add}
            </button>
          </EmptyState>
        ) : (
          <FriendList friends={found} filtered={query !== ""} selected={selected} scrollerRef={scroller} />
        )}
      </div>
    </>
  );
}

interface FriendListProps {
  friends: readonly { profile: Profile }[];
  filtered: boolean;
  selected: string | null;
  scrollerRef: RefObject<HTMLDivElement | null>;
}

function FriendList({ friends, filtered, selected, scrollerRef }: FriendListProps) {
  const texts = useTexts();
  const { offset, head } = useOffset();
  return (
    <nav aria-label={texts.friends.label}>
      <h2 className="section-title">{texts.friends.count(friends.length)}</h2>
      {friends.length === 0 && <p className="section-none">{texts.friends.none}</p>}
      <div ref={head} key={filtered ? "found" : "all"} />
      <Virtualizer
        as="ul"
        item="li"
        data={friends}
        scrollRef={scrollerRef}
        startMargin={offset}
        bufferSize={400}
      >
        {({ profile }) => (
          <FriendRow key={profile.user_id} profile={profile} selected={profile.user_id === selected} />
        )}
      </Virtualizer>
    </nav>
  );
}

/** Measure the offset of the list within its scroll container, with an element at the list's start. */
function useOffset(): { offset: number; head: (element: HTMLElement | null) => void } {
  const [offset, setOffset] = useState(0);
  const head = useCallback((element: HTMLElement | null) => {
    const scroller = element?.closest(".scroll");
    if (!element || !scroller) return;
    const top = element.getBoundingClientRect().top - scroller.getBoundingClientRect().top;
    setOffset(top + scroller.scrollTop);
  }, []);
  return { offset, head };
}

function useFriends(): { name: string; webchatId: string; profile: Profile }[] {
  const ids = useClientState((state) => state.friends);
  const profiles = useProfiles();
  return useMemo(
    () =>
      ids
        .flatMap((id) => profiles.get(id) ?? [])
        .map((profile) => ({ name: profile.display_name, webchatId: profile.webchat_id, profile }))
        .sort((a, b) => a.name.localeCompare(b.name)),
    [ids, profiles],
  );
}

function useWatchedPresence(friends: readonly { profile: Profile }[]): void {
  const { watchPresence } = useActions();
  const ids = friends
    .slice(0, MAX_WATCHED)
    .map(({ profile }) => profile.user_id)
    .join();
  useEffect(() => {
    watchPresence("friends", ids.split(",").filter(Boolean));
    return () => watchPresence("friends", []);
  }, [ids, watchPresence]);
}

function OwnRow({ selected }: { selected: string | null }) {
  const me = useMe();
  const profile = useProfile(me.user_id);
  return profile ? <FriendRow profile={profile} selected={selected === me.user_id} /> : null;
}

function FriendRow({ profile, selected }: { profile: Profile; selected: boolean }) {
  const texts = useTexts();
  const online = useClientState((state) => state.presence.get(profile.user_id) === "online");
  return (
    <Link
      href={paths.friend(profile.user_id)}
      className="person"
      aria-current={selected ? "page" : undefined}
    >
      <Avatar
        id={profile.user_id}
        name={profile.display_name}
        size={40}
        picture={profile.avatar_url}
        online={online}
      />
      <span className="person-text">
        <span className="person-name ellipsis">{profile.display_name}</span>
        {profile.status_message !== "" && (
          <span className="person-note ellipsis">{profile.status_message}</span>
        )}
      </span>
      {online && <span className="sr-only">{texts.online}</span>}
    </Link>
  );
}
