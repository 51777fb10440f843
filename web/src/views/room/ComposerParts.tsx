/** The buttons of the composer and its character count. */
import { useRef, type RefObject } from "react";

import { useTexts } from "../../i18n/index.ts";
import { IconButton } from "../../ui/Button.tsx";
import { Icon } from "../../ui/Icon.tsx";
import type { AttachmentTray } from "./attachment-tray.ts";

const COUNTED_FROM = 200;

export function AttachButton({
  tray,
  field,
  disabled,
}: {
  tray: AttachmentTray;
  field: RefObject<HTMLTextAreaElement | null>;
  disabled: boolean;
}) {
  const { composer } = useTexts();
  const files = useRef<HTMLInputElement>(null);
  return (
    <>
      <input
        ref={files}
        type="file"
        multiple
        hidden
        aria-label={composer.attach}
        onChange={(event) => {
          tray.add([...(event.target.files ?? [])]);
          event.target.value = "";
          field.current?.focus();
        }}
      />
      <IconButton
        icon="plus"
        label={composer.attach}
        disabled={disabled}
        onClick={() => files.current?.click()}
      />
    </>
  );
}

export function CharacterCount({ over }: { over: number }) {
  const { composer } = useTexts();
  if (over <= -COUNTED_FROM) return null;
  return (
    <span className={over > 0 ? "composer-count over" : "composer-count"} role="status">
      {over > 0 ? composer.tooLong(over) : -over}
    </span>
  );
}

export function SendButton({ editing, disabled }: { editing: boolean; disabled: boolean }) {
  const texts = useTexts();
  return (
    <button
      type="submit"
      className="icon-button send"
      aria-label={editing ? texts.save : texts.composer.send}
      disabled={disabled}
      // The field keeps the focus, so the on-screen keyboard stays.
      onPointerDown={(event) => event.preventDefault()}
    >
      <Icon name={editing ? "check" : "send"} />
    </button>
  );
}
