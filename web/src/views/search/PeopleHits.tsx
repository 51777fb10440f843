import { useCallback } from "react";

import { useActions, useClientState, useMe } from "../../app/client.ts";
import { showFailure } from "../../app/notices.ts";
import { openDialog, toast } from "../../app/overlay.ts";
import type { Profile } from "../../core/index.ts";
import { useTexts } from "../../i18n/index.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import { IconButton } from "../../ui/Button.tsx";
import { EmptyState } from "../../ui/EmptyState.tsx";
import { RowSkeletons } from "../../ui/Skeleton.tsx";
import { HitList } from "./HitList.tsx";
import { usePages } from "./pages.ts";
import { LoadError } from "../LoadError.tsx";

export function PeopleHits({ q }: { q: string }) {
  const texts = useTexts();
  const { searchProfiles } = useActions();
  const wanted = q.trim().replace(/^@/, "").toLowerCase();
  const load = useCallback((cursor?: string) => searchProfiles(wanted, cursor), [searchProfiles, wanted]);
  const { items, loadMore, error, retry } = usePages(wanted.length < 2 ? null : load);
  if (wanted.length < 2) {
    return (
      <EmptyState drawing="people" title={texts.search.startPeople} text={texts.search.startPeopleText} />
    );
  }
  if (error && error.code !== "invalid") return <LoadError error={error} onRetry={retry} />;
  if (!items && !error) return <RowSkeletons label={texts.loading} rows={3} />;
  if (!items || items.length === 0) {
    return <EmptyState drawing="people" title={texts.search.noPeople} text={texts.search.noneText} />;
  }
  return (
    <HitList count={items.length} onMore={loadMore}>
      {items.map((profile) => (
        <li key={profile.user_id} className="member">
          <Person found={profile} />
        </li>
      ))}
    </HitList>
  );
}

function Person({ found }: { found: Profile }) {
  const texts = useTexts();
  const me = useMe();
  const { follow } = useActions();
  const userId = found.user_id;
  const profile = useClientState((state) => state.profiles.get(userId)) ?? found;
  const add = async () => {
    if (await showFailure(follow(userId))) toast(texts.profile.followed(profile.display_name));
  };
  return (
    <>
      <button type="button" className="person" onClick={() => openDialog({ kind: "profile", userId })}>
        <Avatar id={userId} name={profile.display_name} size={40} picture={profile.avatar_url} />
        <span className="person-text">
          <span className="person-name ellipsis">{profile.display_name}</span>
          <span className="person-note ellipsis">{profile.webchat_id}</span>
        </span>
        {profile.followed && <span className="person-side">{texts.nav.friends}</span>}
      </button>
      {!profile.followed && userId !== me.user_id && (
        <IconButton icon="addPerson" label={texts.profile.follow} onClick={() => void add()} />
      )}
    </>
  );
}
