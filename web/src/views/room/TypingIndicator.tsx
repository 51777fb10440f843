import { useClientState, useStore } from "../../app/client.ts";
import type { RoomStore } from "../../core/index.ts";
import { useTexts } from "../../i18n/index.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import { nameOf } from "../../format/text.ts";

const NAMED = 3;

export function TypingIndicator({ store }: { store: RoomStore }) {
  const typing = useStore(store, (state) => state.typing);
  const profiles = useClientState((state) => state.profiles);
  const texts = useTexts();
  const named = typing.slice(0, NAMED).map((id) => ({ id, profile: profiles.get(id) }));
  const [first] = named;
  if (!first) return null;
  return (
    <div className="typing-line" aria-live="off">
      <Avatar
        id={first.id}
        name={nameOf(first.profile, texts)}
        size={24}
        picture={first.profile?.avatar_url}
      />
      <span className="ellipsis">
        {texts.room.typing(
          named.map(({ profile }) => nameOf(profile, texts)),
          typing.length - named.length,
        )}
      </span>
      <span className="dots" aria-hidden="true">
        <i />
        <i />
        <i />
      </span>
    </div>
  );
}
