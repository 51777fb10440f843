import { memo, useState } from "react";

import { useProfiles } from "../../app/client.ts";
import type { Message } from "../../core/index.ts";
import { useTexts } from "../../i18n/index.ts";
import { nameOf } from "../../format/text.ts";
import { useMessage, useTabIndex } from "./message-actions.ts";

const NAMED = 20;
/** The number of reactions that are shown before "more". */
const FOLDED = 16;

export const Reactions = memo(function Reactions({ message }: { message: Message }) {
  const [unfolded, setUnfolded] = useState(false);
  const entries = Object.entries(message.reactions ?? {}).filter(([, users]) => users.length > 0);
  if (entries.length === 0) return null;
  const shown = unfolded ? entries : entries.slice(0, FOLDED);
  const more = entries.length - FOLDED;
  return (
    <div className="reactions">
      {shown.map(([emoji, users]) => (
        <Chip key={emoji} message={message} emoji={emoji} users={users} />
      ))}
      {more > 0 && <Fold more={more} unfolded={unfolded} onFold={() => setUnfolded(!unfolded)} />}
    </div>
  );
});

function Fold({ more, unfolded, onFold }: { more: number; unfolded: boolean; onFold: () => void }) {
  const texts = useTexts().message;
  const tabIndex = useTabIndex();
  return (
    <button type="button" className="reaction" tabIndex={tabIndex} aria-expanded={unfolded} onClick={onFold}>
      {unfolded ? texts.foldReactions : texts.moreReactions(more)}
    </button>
  );
}

function Chip({ message, emoji, users }: { message: Message; emoji: string; users: readonly string[] }) {
  const texts = useTexts();
  const profiles = useProfiles();
  const { me, react } = useMessage();
  const tabIndex = useTabIndex();
  const named = users.slice(0, NAMED).map((id) => (id === me ? texts.me : nameOf(profiles.get(id), texts)));
  const names = named.join(", ") + (users.length > NAMED ? " …" : "");
  return (
    <button
      type="button"
      className="reaction"
      tabIndex={tabIndex}
      aria-pressed={users.includes(me)}
      aria-label={texts.message.reaction(emoji, users.length, names)}
      title={names}
      onClick={() => react(message, emoji)}
    >
      <span aria-hidden="true">{emoji}</span>
      <span aria-hidden="true">{users.length}</span>
    </button>
  );
}
