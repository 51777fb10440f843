import { useMemo } from "react";

import { useClient, useMe, useProfiles, useStore } from "../../app/client.ts";
import { openDialog } from "../../app/overlay.ts";
import { useTexts } from "../../i18n/index.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import { nameOf } from "../../format/text.ts";
import { DialogFrame } from "./DialogFrame.tsx";

/** Shows who has read a message and who has not. Updates live. */
export function ReadersDialog({ roomId, seq }: { roomId: string; seq: number }) {
  const { message } = useTexts();
  const me = useMe();
  const cursors = useStore(useClient().room(roomId), (state) => state.cursors);
  const { read, unread } = useMemo(() => cursors.who(seq), [cursors, seq]);
  const others = read.filter((id) => id !== me.user_id);
  return (
    <DialogFrame title={message.readTitle} flush>
      <Group title={message.notRead(unread.length)} ids={unread} none={message.everyoneRead} />
      <Group title={message.read(others.length)} ids={others} none={message.nobodyRead} />
    </DialogFrame>
  );
}

function Group({ title, ids, none }: { title: string; ids: readonly string[]; none: string }) {
  const texts = useTexts();
  const profiles = useProfiles();
  return (
    <section aria-label={title}>
      <h2 className="section-title">{title}</h2>
      {ids.length === 0 && <p className="section-none">{none}</p>}
      <ul>
        {ids.map((userId) => {
          const profile = profiles.get(userId);
          const name = nameOf(profile, texts);
          return (
            <li key={userId}>
              <button
                type="button"
                className="person"
                onClick={() => openDialog({ kind: "profile", userId })}
              >
                <Avatar id={userId} name={name} picture={profile?.avatar_url} />
                <span className="person-text person-name ellipsis">{name}</span>
              </button>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
