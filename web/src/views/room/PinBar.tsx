import { useActions, useClientState, useStore } from "../../app/client.ts";
import { toast } from "../../app/overlay.ts";
import type { RoomStore } from "../../core/index.ts";
import { useTexts } from "../../i18n/index.ts";
import { IconButton } from "../../ui/Button.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { errorText } from "../../format/errors.ts";
import { nameOf, previewOf } from "../../format/text.ts";

export function PinBar({ store, onJump }: { store: RoomStore; onJump: (seq: number) => void }) {
  const texts = useTexts();
  const { pin } = useActions();
  const room = useClientState((state) => state.rooms.get(store.roomId));
  const seq = room?.pinned_seq ?? null;
  const message = useStore(store, (state) => (seq === null ? null : state.quoted.get(seq)));
  const sender = useClientState((state) => state.profiles.get(message?.sender_id ?? ""));
  if (seq === null || message === null || message?.deleted === true) return null;
  const text = message ? `${nameOf(sender, texts)}: ${previewOf(message, texts)}` : texts.room.pinned;
  const unpin = async () => {
    const result = await pin(store.roomId, null);
    if (!result.ok) toast(errorText(result.error, texts));
  };
  return (
    <div className="pin-bar">
      <Icon name="pin" small />
      <button type="button" className="ellipsis" title={texts.room.pinned} onClick={() => onJump(seq)}>
        {text}
      </button>
      {room?.kind === "group" && room.role !== "member" && (
        <IconButton icon="close" label={texts.room.unpin} onClick={() => void unpin()} />
      )}
    </div>
  );
}
