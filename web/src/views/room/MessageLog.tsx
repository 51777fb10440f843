import { useCallback, useRef, useState, type RefObject } from "react";
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
import { useScroll, type Scroll } from "./scroll.ts";
import { useStagedRows, type StagedRows } from "./staged-rows.ts";
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

  if (entries.length === 0) {
    return <EmptyState drawing="bubbles" title={texts.room.emptyTitle} text={texts.room.emptyText} />;
  }
  return (
    <MessageContext value={actions}>
      <LogRows
        roomId={store.roomId}
        staged={staged}
        handleRef={handle}
        scrollerRef={scroller}
        scroll={scroll}
        roving={roving}
        openKey={openKey}
        onDate={jumps.toDate}
      />
      <LogLoading store={store} scroll={scroll} />
      <LogEnd store={store} jumps={jumps} atBottom={scroll.atBottom} />
      <Announcer store={store} me={me} />
    </MessageContext>
  );
}

interface LogRowsProps {
  roomId: string;
  staged: StagedRows;
  handleRef: RefObject<VirtualizerHandle | null>;
  scrollerRef: RefObject<HTMLDivElement | null>;
  scroll: Scroll;
  roving: ReturnType<typeof useRoving>;
  openKey: string | null;
  onDate: (at: Date) => void;
}

function LogRows({ roomId, staged, handleRef, scrollerRef, scroll, roving, openKey, onDate }: LogRowsProps) {
  const label = useTexts().room.log(useRoomTitle(roomId));
  const onDay = useCallback(() => openDialog({ kind: "date", roomId, onPick: onDate }), [roomId, onDate]);
  return (
    <div
      ref={scrollerRef}
      className="log scroll"
      role="log"
      aria-live="off"
      aria-label={label}
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
        ref={handleRef}
        scrollRef={scrollerRef}
        data={staged.rows}
        shift={staged.shift}
        bufferSize={1200}
        itemSize={48}
        keepMounted={roving.mounted}
        onScroll={scroll.onScroll}
        onScrollEnd={scroll.onScrollEnd}
        onResize={scroll.onResize}
      >
        {(row) => (
          <LogRow
            key={row.key}
            row={row}
            roomId={roomId}
            tabbable={row.key === roving.tabbable}
            focused={row.key === roving.focused}
            open={row.key === openKey}
            flash={row.key === scroll.flashed}
            onDay={onDay}
          />
        )}
      </Virtualizer>
    </div>
  );
}

function useRoomTitle(roomId: string): string {
  const texts = useTexts();
  return useClientState((state) => {
    const room = state.rooms.get(roomId);
    return room ? titleOf(room, state.profiles, texts) : "";
  });
}

function LogLoading({ store, scroll }: { store: RoomStore; scroll: Scroll }) {
  const texts = useTexts();
  const loading = useStore(store, (state) => state.window.loading);
  return (
    <>
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
    </>
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
          {unread > 0 && room.newMessages(unread)}
          <span className="sr-only">{room.toLatest}</span>
          <Icon name="down" />
        </button>
      )}
    </div>
  );
}
