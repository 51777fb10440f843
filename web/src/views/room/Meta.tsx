import { memo } from "react";

import { useStore } from "../../app/client.ts";
import { useLanguage, useTexts } from "../../i18n/index.ts";
import { Icon } from "../../ui/Icon.tsx";
import { exactTime, timeOf } from "../../format/locale.ts";
import { useMessage, useTabIndex } from "./message-actions.ts";
import type { MessageView } from "./message-view.ts";

/** The unread count and the time beside a bubble. */
export const Meta = memo(function Meta({ shown }: { shown: MessageView }) {
  const texts = useTexts().message;
  const language = useLanguage();
  const exact = exactTime(shown.at, language);
  if (shown.status !== "there") {
    return (
      <span className="meta">
        <span title={shown.status === "failed" ? texts.failed : texts.pending}>
          <Icon name={shown.status === "failed" ? "alert" : "clock"} small />
          <span className="sr-only">{shown.status === "failed" ? texts.failed : texts.pending}</span>
        </span>
      </span>
    );
  }
  return (
    <span className="meta">
      {shown.message && !shown.deleted && <Count seq={shown.message.seq} />}
      <span>
        {shown.editedAt && !shown.deleted && (
          <span title={texts.editedAt(exactTime(shown.editedAt, language))}>{texts.edited} </span>
        )}
        <time dateTime={shown.at.toISOString()} title={exact}>
          {timeOf(shown.at, language)}
        </time>
      </span>
    </span>
  );
});

function Count({ seq }: { seq: number }) {
  const { store, readers } = useMessage();
  const texts = useTexts().message;
  const tabIndex = useTabIndex();
  const unread = useStore(store, (state) => state.cursors.unreadCount(seq));
  if (unread <= 0) return null;
  return (
    <button
      type="button"
      tabIndex={tabIndex}
      className="count"
      aria-label={texts.unread(unread)}
      onClick={() => readers(seq)}
    >
      {unread}
    </button>
  );
}
