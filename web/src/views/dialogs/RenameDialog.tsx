import { useState } from "react";

import { useActions, useClientState } from "../../app/client.ts";
import { closeDialog } from "../../app/overlay.ts";
import { useTexts } from "../../i18n/index.ts";
import { Field } from "../../ui/Field.tsx";
import { errorText } from "../../format/errors.ts";
import { DialogFrame } from "./DialogFrame.tsx";

export function RenameDialog({ roomId }: { roomId: string }) {
  const texts = useTexts();
  const { rename } = useActions();
  const [title, setTitle] = useState(useClientState((state) => state.rooms.get(roomId)?.title ?? ""));
  const [error, setError] = useState<string>();
  const trimmed = title.trim();
  const submit = async () => {
    if (trimmed === "" || trimmed.length > 100) {
      setError(texts.details.roomNameBad);
      return;
    }
    const result = await rename(roomId, trimmed);
    if (result.ok) closeDialog();
    else setError(errorText(result.error, texts));
  };
  return (
    <DialogFrame title={texts.details.rename}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <Field
          label={texts.details.roomName}
          value={title}
          autoFocus
          tone={error === undefined ? "plain" : "error"}
          note={error}
          onChange={(event) => setTitle(event.target.value)}
        />
        <button type="submit" className="button primary wide">
          {texts.save}
        </button>
      </form>
    </DialogFrame>
  );
}
