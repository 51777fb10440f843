import { useCallback, useRef, useState } from "react";
import { Virtualizer, type VirtualizerHandle } from "virtua";

import { useClientState, useStore } from "../../app/client.ts";
import { composerField, openDialog } from "../../app/overlay.ts";
import type { Message, RoomStore } from "../../core/index.ts";
import { useTexts } from "../../i18n/index.ts";
import { EmptyState } from "../../ui/EmptyState.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { BubbleSkeletons } from "../../ui/Skeleton.tsx";
import { titleOf } from "../../format/text.ts";
import type { Jumps } from "./jumps.ts";
import { LogRow } from "./LogRow.tsx";
import { MessageContext, useMessageActions } from "./message-actions.ts";
import { Announcer } from "./Announcer.tsx";
import { useRoving } from "./roving.ts";
import { useScroll } from "./scroll.ts";
import { useStagedRows } from "./staged-rows.ts";
import { BackToHits } from "./BackToHits.tsx";

interface LogProps {
  store: RoomStore;
  me: string;
  jumps: Jumps;
  onReply: (message: Message) => void;
  onEdit: (message: Message) => void;
}

export function MessageLog({ store, me, jumps, onReply, onEdit }: LogProps) {
  const texts = useTexts();
  const entries = useStore(store, (state) => state.entries);
  const firstUnreadSeq = useStore(store, (state) => state.firstUnreadSeq);
  const loading = useStore(store, (state) => state.window.loading);
  const title = useClientState((state) => {
    const room = state.rooms.get(store.roomId);
    return room ? titleOf(room, state.profiles, texts) : "";
  });
  const staged = useStagedRows(entries, me, firstUnreadSeq);
  const handle = useRef<VirtualizerHandle>(null);
  const scroller = useRef<HTMLDivElement>(null);
  const [openKey, setOpenKey] = useState<string | null>(null);
  const scroll = useScroll({
    store,
    staged,
    handleRef: handle,
    scrollerRef: scroller,
    jumps,
    firstUnreadSeq,
  });
  const roving = useRoving({ rows: staged.rows, handleRef: handle, scrollerRef: scroller });
  const actions = useMessageActions({ store, me, onReply, onEdit, onJump: jumps.to, setOpenKey });
  const onDay = useCallback(
    () => openDialog({ kind: "date", roomId: store.roomId, onPick: jumps.toDate }),
    [store, jumps.toDate],
  );

  if (entries.length === 0) {
    return <EmptyState drawing="bubbles" title={texts.room.emptyTitle} text={texts.room.emptyText} />;
  }
  return (
    <MessageContext value={actions}>
      <div
        ref={scroller}
        className="log scroll"
        role="log"
        aria-live="off"
        aria-label={texts.room.log(title)}
        data-placed={scroll.positioned}
        onKeyDown={(event) => {
          if (event.key === "Escape" && !event.defaultPrevented) composerField()?.focus();
          else roving.onKeyDown(event);
        }}
        onFocus={roving.onFocus}
        onBlur={roving.onBlur}
      >
        <Virtualizer
          key={staged.window}
          ref={handle}
          scrollRef={scroller}
          data={staged.rows}
          shift={staged.shift}
          bufferSize={1200}
          itemSize={48}
          keepMounted={roving.kept}
          onScroll={scroll.onScroll}
          onScrollEnd={scroll.onScrollEnd}
          onResize={scroll.onResize}
        >
          {(row) => (
            <LogRow
              key={row.key}
              row={row}
              roomId={store.roomId}
              tabbable={row.key === roving.tabbable}
              focused={row.key === roving.focused}
              open={row.key === openKey}
              flash={row.key === scroll.flashed}
              onDay={onDay}
            />
          )}
        </Virtualizer>
      </div>
      {loading === "before" && scroll.nearTop && (
        <div className="log-loading">
          <BubbleSkeletons label={texts.loading} rows={2} />
        </div>
      )}
      {!scroll.positioned && (
        <div className="room-skeleton">
          <BubbleSkeletons label={texts.loading} />
        </div>
      )}
      <LogEnd store={store} jumps={jumps} atBottom={scroll.atBottom} />
      <Announcer store={store} me={me} />
    </MessageContext>
  );
}

function LogEnd({ store, jumps, atBottom }: { store: RoomStore; jumps: Jumps; atBottom: boolean }) {
  const { room } = useTexts();
  const unread = useClientState((state) => state.rooms.get(store.roomId)?.unread ?? 0);
  return (
    <div className="log-end">
      <BackToHits />
      {jumps.back && (
        <button type="button" className="pill" onClick={jumps.back}>
          <Icon name="reply" />
          {room.backToPlace}
        </button>
      )}
      {!atBottom && (
        <button type="button" className="pill accent" onClick={jumps.toBottom}>
          {unread > 0 && room.fresh(unread)}
          <span className="sr-only">{room.toLatest}</span>
          <Icon name="down" />
        </button>
      )}
    </div>
  );
}
