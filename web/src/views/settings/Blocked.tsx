import { useState } from "react";

import { useActions } from "../../app/client.ts";
import { showFailure } from "../../app/notices.ts";
import { toast } from "../../app/overlay.ts";
import type { Profile } from "../../core/index.ts";
import { useTexts } from "../../i18n/index.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import { TextButton } from "../../ui/Button.tsx";
import { EmptyState } from "../../ui/EmptyState.tsx";
import { RowSkeletons } from "../../ui/Skeleton.tsx";
import { usePages } from "../search/pages.ts";
import { LoadError } from "../LoadError.tsx";

export function Blocked() {
  const texts = useTexts();
  const { listBlocked } = useActions();
  const { items, loadMore, error, retry } = usePages(listBlocked);
  const [unblocked, setFreed] = useState<ReadonlySet<string>>(new Set());
  if (error) return <LoadError error={error} onRetry={retry} />;
  if (!items) return <RowSkeletons label={texts.loading} rows={3} />;
  const shown = items.filter((one) => !unblocked.has(one.user_id));
  if (shown.length === 0) {
    return (
      <EmptyState drawing="people" title={texts.settings.blockedNone} text={texts.settings.blockedText} />
    );
  }
  return (
    <>
      <p className="card-text">{texts.settings.blockedText}</p>
      <ul className="card list-card">
        {shown.map((profile) => (
          <BlockedRow
            key={profile.user_id}
            profile={profile}
            onUnblocked={() => setFreed((before) => new Set([...before, profile.user_id]))}
          />
        ))}
      </ul>
      {loadMore && <TextButton onClick={loadMore}>{texts.search.more}</TextButton>}
    </>
  );
}

function BlockedRow({ profile, onUnblocked }: { profile: Profile; onUnblocked: () => void }) {
  const texts = useTexts();
  const { unblock } = useActions();
  const name = profile.display_name;
  const free = async () => {
    if (!(await showFailure(unblock(profile.user_id)))) return;
    onUnblocked();
    toast(texts.profile.didUnblock(name));
  };
  return (
    <li className="device">
      <Avatar id={profile.user_id} name={name} picture={profile.avatar_url} />
      <div>
        <strong>{name}</strong>
        <p>{profile.webchat_id}</p>
      </div>
      <TextButton onClick={() => void free()}>{texts.profile.unblock}</TextButton>
    </li>
  );
}
