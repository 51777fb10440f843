import { useCallback, useEffect, useState } from "react";
import { useLocation } from "wouter";

import { useActions, useClient, useClientState, useMe, useStore } from "../../app/client.ts";
import { paths } from "../../app/paths.ts";
import { usePhone, useWide } from "../../app/screen.ts";
import type { Message } from "../../core/index.ts";
import { useTexts } from "../../i18n/index.ts";
import { EmptyState } from "../../ui/EmptyState.tsx";
import { BubbleSkeletons } from "../../ui/Skeleton.tsx";
import { ConnectionBar } from "../ConnectionBar.tsx";
import { Composer } from "./Composer.tsx";
import { Details } from "./Details.tsx";
import { useDetails } from "./details-panel.ts";
import { DropZone } from "./DropZone.tsx";
import { MessageLog } from "./MessageLog.tsx";
import { PinBar } from "./PinBar.tsx";
import { RoomHeader } from "./RoomHeader.tsx";
import { TypingIndicator } from "./TypingIndicator.tsx";
import { useJumps } from "./jumps.ts";
import { useAttachmentTray } from "./attachment-tray.ts";

/** The mode of the composer: a new message, a reply or an edit. */
export type ComposerMode =
  { kind: "new" } | { kind: "reply"; message: Message } | { kind: "edit"; message: Message };

export function RoomPage({ roomId, details: detailsAsked }: { roomId: string; details: boolean }) {
  const store = useClient().room(roomId);
  const status = useStore(store, (state) => state.status);
  const known = useClientState((state) => state.rooms.has(roomId));
  useEffect(() => {
    store.open();
    return () => store.close();
  }, [store]);
  if (status === "gone" && !known) return <Missing />;
  return <OpenRoom roomId={roomId} detailsAsked={detailsAsked} />;
}

function OpenRoom({ roomId, detailsAsked }: { roomId: string; detailsAsked: boolean }) {
  const store = useClient().room(roomId);
  const { setFocus } = useActions();
  const [mode, setMode] = useState<ComposerMode>({ kind: "new" });
  const jumps = useJumps(store);
  const tray = useAttachmentTray(roomId);
  const wide = useWide();
  const phone = usePhone();
  const details = useDetails(roomId, detailsAsked);
  useFocusedRoom(roomId, setFocus);
  const startReply = useCallback((message: Message) => setMode({ kind: "reply", message }), []);
  const startEdit = useCallback((message: Message) => setMode({ kind: "edit", message }), []);

  return (
    <>
      <DropZone onFiles={tray.add} covered={phone && details.shown}>
        <RoomHeader store={store} detailsShown={details.shown} onDetails={details.toggle} />
        <div className="bars">
          <ConnectionBar />
          <PinBar store={store} onJump={jumps.to} />
        </div>
        <div className="log-frame">
          <RoomLog store={store} jumps={jumps} onReply={startReply} onEdit={startEdit} />
          <TypingIndicator store={store} />
        </div>
        <Composer
          key={roomId}
          store={store}
          mode={mode}
          onMode={setMode}
          tray={tray}
          onSent={jumps.toBottom}
        />
      </DropZone>
      {details.shown && !wide && (
        <button type="button" className="scrim" tabIndex={-1} aria-hidden="true" onClick={details.close} />
      )}
      {details.shown && <Details store={store} onClose={details.close} onDate={jumps.toDate} modal={!wide} />}
    </>
  );
}

function RoomLog({
  store,
  ...rest
}: Pick<React.ComponentProps<typeof MessageLog>, "store" | "jumps" | "onReply" | "onEdit">) {
  const me = useMe();
  const texts = useTexts();
  const loading = useStore(store, (state) => state.status === "loading" && state.entries.length === 0);
  const error = useStore(store, (state) => (state.entries.length === 0 ? state.window.error : null));
  if (error) {
    return (
      <EmptyState drawing="lost" title={texts.room.failedTitle} text={texts.errors.network}>
        <button type="button" className="button primary" onClick={() => void store.toLatest()}>
          {texts.retry}
        </button>
      </EmptyState>
    );
  }
  if (loading || rest.jumps.arriving) {
    return (
      <div className="room-skeleton">
        <BubbleSkeletons label={texts.loading} />
      </div>
    );
  }
  return <MessageLog store={store} me={me.user_id} {...rest} />;
}

function Missing() {
  const { room } = useTexts();
  const [, go] = useLocation();
  return (
    <div className="page">
      <div className="page-body centre">
        <EmptyState drawing="lost" title={room.missingTitle} text={room.missingText} level={1}>
          <button type="button" className="button primary" onClick={() => go(paths.rooms)}>
            {room.toRooms}
          </button>
        </EmptyState>
      </div>
    </div>
  );
}

/** Report the visible room, which gets no notifications. */
function useFocusedRoom(roomId: string, setFocus: (roomId: string | null) => void): void {
  useEffect(() => {
    const update = () =>
      setFocus(document.hasFocus() && document.visibilityState === "visible" ? roomId : null);
    update();
    window.addEventListener("focus", update);
    window.addEventListener("blur", update);
    document.addEventListener("visibilitychange", update);
    return () => {
      setFocus(null);
      window.removeEventListener("focus", update);
      window.removeEventListener("blur", update);
      document.removeEventListener("visibilitychange", update);
    };
  }, [roomId, setFocus]);
}
