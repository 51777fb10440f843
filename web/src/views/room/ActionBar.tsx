import { useEffect, useLayoutEffect, useRef, useState } from "react";

import { isCovered } from "../../app/overlay.ts";
import type { Message } from "../../core/index.ts";
import { useTexts } from "../../i18n/index.ts";
import { IconButton } from "../../ui/Button.tsx";
import { useMessage } from "./message-actions.ts";

/**
 * The toolbar of a message. If it was opened by keyboard or long press, it takes the focus, and Escape returns it.
 */
export function ActionBar({ message, mine, focused }: { message: Message; mine: boolean; focused: boolean }) {
  const texts = useTexts().message;
  const actions = useMessage();
  const bar = useRef<HTMLDivElement>(null);
  const [below, setBelow] = useState(false);
  useLayoutEffect(() => {
    const top = bar.current?.getBoundingClientRect().top ?? 0;
    const edge = bar.current?.closest("[role=log]")?.getBoundingClientRect().top ?? 0;
    // At the top of the log there is no space above the bubble. Measured before painting.
    if (top < edge) setBelow(true);
  }, []);
  useEffect(() => {
    if (!focused) return;
    bar.current?.querySelector("button")?.focus();
    const away = (event: PointerEvent) => {
      if (!isCovered() && !bar.current?.contains(event.target as Node)) actions.open(null);
    };
    window.addEventListener("pointerdown", away);
    return () => window.removeEventListener("pointerdown", away);
  }, [focused, actions]);

  const onKeyDown = (event: React.KeyboardEvent) => {
    const buttons = [...(bar.current?.querySelectorAll("button") ?? [])];
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (by !== 0) {
      event.preventDefault();
      buttons[(at + by + buttons.length) % buttons.length]?.focus();
    } else if (event.key === "Escape") {
      event.preventDefault();
      bar.current?.closest<HTMLElement>("[data-key]")?.focus();
      actions.open(null);
    }
  };

  return (
    <div
      className="actions"
      role="toolbar"
      aria-label={texts.actions}
      ref={bar}
      data-below={below}
      onKeyDown={onKeyDown}
    >
      <IconButton
        icon="smile"
        label={texts.react}
        onClick={(e) => actions.pickReaction(e.currentTarget, message)}
      />
      <IconButton icon="reply" label={texts.reply} onClick={() => actions.reply(message)} />
      {mine && <IconButton icon="edit" label={texts.edit} onClick={() => actions.edit(message)} />}
      <IconButton icon="copy" label={texts.copy} onClick={() => actions.copy(message.body)} />
      <IconButton
        icon="more"
        label={texts.more}
        aria-haspopup="menu"
        onClick={(e) => actions.more(e.currentTarget, message)}
      />
    </div>
  );
}
