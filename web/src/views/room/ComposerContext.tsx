import { useProfile } from "../../app/client.ts";
import { useTexts } from "../../i18n/index.ts";
import { IconButton } from "../../ui/Button.tsx";
import { nameOf, previewOf } from "../../format/text.ts";
import type { ComposerMode } from "./RoomPage.tsx";

/** Shows above the field which message is quoted or edited. */
export function ComposerContext({ mode, onStop }: { mode: ComposerMode; onStop: () => void }) {
  const texts = useTexts();
  const message = mode.kind === "new" ? null : mode.message;
  const sender = useProfile(message?.sender_id ?? "");
  if (!message) return null;
  const edits = mode.kind === "edit";
  return (
    <div className="composer-context">
      <div className="quote">
        <strong className="ellipsis">
          {edits ? texts.composer.editing : texts.composer.replyTo(nameOf(sender, texts))}
        </strong>
        <span className="ellipsis">{previewOf(message, texts)}</span>
      </div>
      <IconButton
        icon="close"
        label={edits ? texts.composer.stopEdit : texts.composer.stopReply}
        onClick={onStop}
      />
    </div>
  );
}
