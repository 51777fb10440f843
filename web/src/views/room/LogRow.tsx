import { memo } from "react";

import { useClientState } from "../../app/client.ts";
import type { LineEntry, Profile } from "../../core/index.ts";
import { useLanguage, useTexts, type Texts } from "../../i18n/index.ts";
import { dayOf, startOfDay } from "../logic/format.ts";
import type { Row } from "../logic/rows.ts";
import { nameOf } from "../logic/text.ts";
import { TabContext } from "./message-actions.ts";
import { MessageRow } from "./MessageRow.tsx";

export interface LogRowProps {
  row: Row;
  roomId: string;
  /** In the order of Tab. */
  tabbable: boolean;
  /** It, or something in it, has the focus: what is in it is in the order of Tab too. */
  focused: boolean;
  /** Its bar of actions is open. */
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
        <div className="unread-line" role="separator" aria-label={room.here}>
          {room.here}
        </div>
      )}
      {row.entry.kind === "line" ? (
        <EventLine line={row.entry.line} />
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

function EventLine({ line }: { line: LineEntry["line"] }) {
  const texts = useTexts();
  const profiles = useClientState((state) => state.profiles);
  return <p className="event-line">{lineText(line, profiles, texts)}</p>;
}

function lineText(line: LineEntry["line"], profiles: ReadonlyMap<string, Profile>, texts: Texts): string {
  const { room } = texts;
  const name = (id: string) => nameOf(profiles.get(id), texts);
  switch (line.type) {
    case "joined":
      return line.by === line.userId
        ? room.joined(name(line.userId))
        : room.invited(name(line.by), name(line.userId));
    case "left":
      return line.by === line.userId
        ? room.left(name(line.userId))
        : room.removed(name(line.by), name(line.userId));
    case "role": {
      const say = { owner: room.roleOwner, admin: room.roleAdmin, member: room.roleMember }[line.role];
      return say(name(line.userId));
    }
    case "title":
      return room.renamed(name(line.by), line.title);
    case "pinned":
      return line.seq === null ? room.unpinnedBy(name(line.by)) : room.pinnedBy(name(line.by));
  }
}
