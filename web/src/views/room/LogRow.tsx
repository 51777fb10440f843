import { memo } from "react";

import { useClientState } from "../../app/client.ts";
import type { SystemEntry, Profile } from "../../core/index.ts";
import { useLanguage, useTexts, type Texts } from "../../i18n/index.ts";
import { dayOf, startOfDay } from "../../format/locale.ts";
import type { Row } from "./rows.ts";
import { nameOf } from "../../format/text.ts";
import { TabContext } from "./message-actions.ts";
import { MessageRow } from "./MessageRow.tsx";

export interface LogRowProps {
  row: Row;
  roomId: string;
  /** True if Tab reaches the row. */
  tabbable: boolean;
  /** True if the focus is in the row. Then Tab also reaches its buttons. */
  focused: boolean;
  /** True if its toolbar is open. */
  open: boolean;
  flash: boolean;
  onDay: () => void;
}

export const LogRow = memo(function LogRow({ row, tabbable, focused, open, flash, onDay }: LogRowProps) {
  const { room } = useTexts();
  return (
    <div className="row" data-first={row.first}>
      {row.day !== null && <DayPill day={row.day} onPick={onDay} />}
      {row.divider && (
        <div className="unread-line" role="separator" aria-label={room.unreadDivider}>
          {room.unreadDivider}
        </div>
      )}
      {row.entry.kind === "system" ? (
        <SystemMessage event={row.entry.event} />
      ) : (
        <TabContext value={focused ? 0 : -1}>
          <MessageRow entry={row.entry} first={row.first} tabbable={tabbable} open={open} flash={flash} />
        </TabContext>
      )}
    </div>
  );
});

function DayPill({ day, onPick }: { day: string; onPick: () => void }) {
  const language = useLanguage();
  const { room } = useTexts();
  const at = startOfDay(day);
  return (
    <div className="day-pill">
      <button type="button" tabIndex={-1} onClick={onPick} title={room.toDate}>
        {at ? dayOf(at, language) : day}
      </button>
    </div>
  );
}

function SystemMessage({ event }: { event: SystemEntry["event"] }) {
  const texts = useTexts();
  const profiles = useClientState((state) => state.profiles);
  return <p className="event-line">{systemText(event, profiles, texts)}</p>;
}

function systemText(
  event: SystemEntry["event"],
  profiles: ReadonlyMap<string, Profile>,
  texts: Texts,
): string {
  const { room } = texts;
  const name = (id: string) => nameOf(profiles.get(id), texts);
  switch (event.type) {
    case "joined":
      return event.by === event.userId
        ? room.joined(name(event.userId))
        : room.invited(name(event.by), name(event.userId));
    case "left":
      return event.by === event.userId
        ? room.left(name(event.userId))
        : room.removed(name(event.by), name(event.userId));
    case "role": {
      const say = { owner: room.roleOwner, admin: room.roleAdmin, member: room.roleMember }[event.role];
      return say(name(event.userId));
    }
    case "title":
      return room.renamed(name(event.by), event.title);
    case "pinned":
      return event.seq === null ? room.unpinnedBy(name(event.by)) : room.pinnedBy(name(event.by));
  }
}
