import { memo, useMemo, useState } from "react";

import { useProfile } from "../../app/client.ts";
import { openDialog } from "../../app/overlay.ts";
import type { Entry } from "../../core/index.ts";
import { useLanguage, useTexts } from "../../i18n/index.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import { timeOf } from "../../format/locale.ts";
import { nameOf } from "../../format/text.ts";
import { ActionBar } from "./ActionBar.tsx";
import { AttachmentList } from "./AttachmentList.tsx";
import { Bubble } from "./Bubble.tsx";
import { SendError } from "./SendError.tsx";
import { useMessage } from "./message-actions.ts";
import { Meta } from "./Meta.tsx";
import { Reactions } from "./Reactions.tsx";
import { messageViewOf, type MessageView } from "./message-view.ts";
import { useLongPress } from "./long-press.ts";

interface MessageRowProps {
  entry: Exclude<Entry, { kind: "system" }>;
  first: boolean;
  tabbable: boolean;
  open: boolean;
  flash: boolean;
}

export const MessageRow = memo(function MessageRow({ entry, first, tabbable, open, flash }: MessageRowProps) {
  const texts = useTexts();
  const language = useLanguage();
  const actions = useMessage();
  const shown = useMemo(() => messageViewOf(entry, actions.me), [entry, actions.me]);
  const sender = useProfile(shown.senderId);
  const [hovered, setHovered] = useState(false);
  const press = useLongPress(() => actions.open(entry.key));
  const name = nameOf(sender, texts);
  const time = timeOf(shown.at, language);
  const barred = shown.message === null || shown.deleted;

  return (
    <article
      className={`message ${shown.mine ? "own" : ""} ${shown.status === "there" ? "" : shown.status}`}
      data-key={entry.key}
      data-seq={shown.message?.seq}
      data-status={shown.status}
      tabIndex={tabbable ? 0 : -1}
      aria-label={shown.mine ? texts.message.fromMe(time) : texts.message.from(name, time)}
      onMouseEnter={() => setHovered(true)}
      onMouseLeave={() => setHovered(false)}
      onKeyDown={(event) => {
        if (event.target !== event.currentTarget || barred) return;
        if (event.key !== "Enter" && event.key !== "ContextMenu") return;
        event.preventDefault();
        actions.open(entry.key);
      }}
      {...press}
    >
      {!shown.mine && first && (
        <button
          type="button"
          className="message-avatar"
          tabIndex={-1}
          aria-label={name}
          onClick={() => openDialog({ kind: "profile", userId: shown.senderId })}
        >
          <Avatar id={shown.senderId} name={name} picture={sender?.avatar_url} />
        </button>
      )}
      <Content shown={shown} name={shown.mine || !first ? null : name} flash={flash} />
      {!barred && shown.message && (hovered || open) && (
        <ActionBar message={shown.message} mine={shown.mine} focused={open} />
      )}
    </article>
  );
});

function Content({ shown, name, flash }: { shown: MessageView; name: string | null; flash: boolean }) {
  const files = shown.deleted ? [] : shown.attachments;
  const text = shown.deleted || shown.body !== "" || shown.replyTo !== null;
  const meta = <Meta shown={shown} />;
  return (
    <div className="message-content">
      {name !== null && <span className="message-name ellipsis">{name}</span>}
      {text && (
        <div className="message-line">
          <Bubble shown={shown} flash={flash} />
          {files.length === 0 && meta}
        </div>
      )}
      {files.length > 0 && (
        <div className="message-line" data-after-text={text}>
          <AttachmentList files={files} flash={flash && !text} />
          {meta}
        </div>
      )}
      {shown.message && !shown.deleted && <Reactions message={shown.message} />}
      {shown.status === "failed" && <SendError shown={shown} />}
    </div>
  );
}
