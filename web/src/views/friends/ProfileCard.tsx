import { useEffect, useState } from "react";
import { useLocation } from "wouter";

import { useActions, useClientState, useMe, useProfile } from "../../app/client.ts";
import { showFailure } from "../../app/notices.ts";
import { openDialog, toast } from "../../app/overlay.ts";
import { paths } from "../../app/paths.ts";
import type { Profile } from "../../core/index.ts";
import { useTexts } from "../../i18n/index.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import { TextButton } from "../../ui/Button.tsx";
import { EmptyState } from "../../ui/EmptyState.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { errorText } from "../../format/errors.ts";

/** A profile with its actions. In a dialog, `onDone` closes it. */
export function ProfileCard({ userId, onDone }: { userId: string; onDone?: () => void }) {
  const texts = useTexts();
  const me = useMe();
  const profile = useProfile(userId);
  const { loadProfiles, watchPresence } = useActions();
  const online = useClientState((state) => state.presence.get(userId) === "online");
  useEffect(() => {
    loadProfiles([userId]);
    watchPresence("profile", [userId]);
    return () => watchPresence("profile", []);
  }, [userId, loadProfiles, watchPresence]);
  if (!profile) return <EmptyState drawing="people" title={texts.unknownPerson} text={texts.profile.gone} />;
  const self = userId === me.user_id;
  return (
    <div className="profile-card">
      <Avatar
        id={userId}
        name={profile.display_name}
        size={96}
        picture={profile.avatar_url}
        online={online && !self}
      />
      <h2>{profile.display_name}</h2>
      <p className="handle">{profile.webchat_id}</p>
      {profile.status_message !== "" && <p className="status">{profile.status_message}</p>}
      {self ? <OwnActions onDone={onDone} /> : <TheirActions profile={profile} onDone={onDone} />}
    </div>
  );
}

function OwnActions({ onDone }: { onDone: (() => void) | undefined }) {
  const { profile } = useTexts();
  const [, go] = useLocation();
  return (
    <div className="profile-actions">
      <button
        type="button"
        className="button"
        onClick={() => {
          onDone?.();
          go(paths.setting("profile"));
        }}
      >
        <Icon name="edit" />
        {profile.edit}
      </button>
    </div>
  );
}

function TheirActions({ profile, onDone }: { profile: Profile; onDone: (() => void) | undefined }) {
  const texts = useTexts();
  const { blocked, chat, follow, unfollow, block, unblock } = useProfileActions(profile, onDone);
  if (blocked) {
    return (
      <>
        <p className="handle">{texts.profile.blocked}</p>
        <div className="profile-actions">
          <button type="button" className="button" onClick={() => void unblock()}>
            {texts.profile.unblock}
          </button>
        </div>
      </>
    );
  }
  return (
    <div className="profile-actions">
      <button type="button" className="button primary" onClick={() => void chat()}>
        <Icon name="chat" />
        {texts.profile.chat}
      </button>
      {!profile.followed && (
        <button type="button" className="button" onClick={() => void follow()}>
          <Icon name="addPerson" />
          {texts.profile.follow}
        </button>
      )}
      <div className="profile-more">
        {profile.followed && (
          <TextButton onClick={() => void unfollow()}>{texts.profile.unfollow}</TextButton>
        )}
        <TextButton danger onClick={block}>
          {texts.profile.block}
        </TextButton>
      </div>
    </div>
  );
}

function useProfileActions(
  { user_id: userId, display_name: name }: Profile,
  onDone: (() => void) | undefined,
) {
  const texts = useTexts();
  const actions = useActions();
  const [, go] = useLocation();
  const { blocked, setBlocked } = useBlocked(userId);
  const chat = async () => {
    const result = await actions.createDirect(userId);
    if (!result.ok) {
      toast(errorText(result.error, texts));
      return;
    }
    onDone?.();
    go(paths.room(result.room.room_id));
  };
  const follow = async () => {
    if (await showFailure(actions.follow(userId))) toast(texts.profile.followed(name));
  };
  const unblock = async () => {
    if (!(await showFailure(actions.unblock(userId)))) return;
    setBlocked(false);
    toast(texts.profile.didUnblock(name));
  };
  const unfollow = async () => {
    if (await showFailure(actions.unfollow(userId))) toast(texts.profile.unfollowed(name));
  };
  const block = () =>
    openDialog({
      kind: "confirm",
      title: texts.profile.blockAsk(name),
      text: texts.profile.blockText,
      action: texts.profile.block,
      danger: true,
      run: async () => {
        if (!(await showFailure(actions.block(userId)))) return;
        setBlocked(true);
        toast(texts.profile.didBlock(name));
      },
    });
  return { blocked, chat, follow, unfollow, block, unblock };
}

/**
 * Return whether the user is blocked. The server has no query for one user, so the short list of blocked users is searched.
 */
function useBlocked(userId: string): { blocked: boolean; setBlocked: (blocked: boolean) => void } {
  const { listBlocked } = useActions();
  const [blocked, setBlocked] = useState(false);
  useEffect(() => {
    const left = new AbortController();
    void (async () => {
      let cursor: string | null | undefined;
      do {
        const result = await listBlocked(cursor ?? undefined);
        if (!result.ok || left.signal.aborted) return;
        if (result.page.items.some((one) => one.user_id === userId)) setBlocked(true);
        cursor = result.page.next;
      } while (cursor !== null);
    })();
    return () => left.abort();
  }, [userId, listBlocked]);
  return { blocked, setBlocked };
}
