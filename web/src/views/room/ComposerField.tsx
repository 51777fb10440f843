import type { RefObject } from "react";

import { useActions } from "../../app/client.ts";
import { useTexts } from "../../i18n/index.ts";
import type { DraftText } from "./draft-text.ts";

interface ComposerFieldProps {
  roomId: string;
  field: RefObject<HTMLTextAreaElement | null>;
  editing: boolean;
  draft: DraftText;
  onCaret: (place: number) => void;
  onFiles: (files: readonly File[]) => void;
  onKeyDown: (event: React.KeyboardEvent) => void;
  /** ARIA attributes of the list of completions. */
  aria: React.AriaAttributes;
}

export function ComposerField({
  roomId,
  field,
  editing,
  draft,
  onCaret,
  onFiles,
  onKeyDown,
  aria,
}: ComposerFieldProps) {
  const { composer } = useTexts();
  const { setTyping } = useActions();
  return (
    <textarea
      ref={field}
      data-composer
      rows={1}
      value={draft.text}
      aria-label={editing ? composer.editing : composer.label}
      placeholder={composer.placeholder}
      enterKeyHint="send"
      {...aria}
      onChange={({ target }) => {
        draft.change(target.value);
        onCaret(target.selectionStart);
        if (!editing) setTyping(roomId, target.value.trim() !== "");
      }}
      onSelect={(event) => onCaret(event.currentTarget.selectionStart)}
      onKeyDown={onKeyDown}
      onBlur={() => setTyping(roomId, false)}
      onPaste={(event) => {
        const pasted = [...event.clipboardData.files];
        if (pasted.length === 0 || editing) return;
        event.preventDefault();
        onFiles(pasted);
      }}
    />
  );
}
