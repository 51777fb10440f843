import { useEffect, useState } from "react";
import { useLocation } from "wouter";
import { Virtualizer } from "virtua";

import { useMayAsk, askLater, setAlerts } from "../../app/alerts.ts";
import { useActions, useClientState } from "../../app/client.ts";
import { switcherKey } from "../../app/hotkeys.ts";
import { openDialog } from "../../app/overlay.ts";
import { paths } from "../../app/paths.ts";
import { useTexts } from "../../i18n/index.ts";
import { IconButton, TextButton } from "../../ui/Button.tsx";
import { EmptyState } from "../../ui/EmptyState.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { ConnectionBar } from "../ConnectionBar.tsx";
import { useStableOrder } from "./order.ts";
import { RoomRow } from "./RoomRow.tsx";

export function RoomsPane({ selected }: { selected: string | null }) {
  const { rooms } = useTexts();
  return (
    <>
      <header className="pane-header">
        <h1>{rooms.title}</h1>
        <IconButton icon="plus" label={rooms.create} onClick={() => openDialog({ kind: "new-chat" })} />
      </header>
      <div className="pane-search">
        <button type="button" className="search-field" onClick={() => openDialog({ kind: "switcher" })}>
          <Icon name="search" />
          <span className="person-text ellipsis">{rooms.find}</span>
          <kbd className="key">{switcherKey()}</kbd>
        </button>
      </div>
      <ConnectionBar />
      <AlertAsk />
      <RoomList selected={selected} />
    </>
  );
}

function RoomList({ selected }: { selected: string | null }) {
  const { rooms } = useTexts();
  const latest = useClientState((state) => state.order);
  const [hovered, setHovered] = useState(false);
  const order = useStableOrder(latest, hovered);
  useWatchedPeers(latest);
  const [, go] = useLocation();
  if (order.length === 0) {
    return (
      <EmptyState drawing="bubbles" title={rooms.emptyTitle} text={rooms.emptyText}>
        <button type="button" className="button primary" onClick={() => go(paths.search({ kind: "people" }))}>
          {rooms.emptyAction}
        </button>
      </EmptyState>
    );
  }
  return (
    <nav
      className="pane-body scroll room-list"
      aria-label={rooms.label}
      onPointerEnter={(event) => setHovered(event.pointerType === "mouse")}
      onPointerLeave={() => setHovered(false)}
    >
      <Virtualizer as="ul" item="li" data={order} bufferSize={400}>
        {(roomId) => <RoomRow key={roomId} roomId={roomId} selected={roomId === selected} />}
      </Virtualizer>
    </nav>
  );
}

const MAX_WATCHED = 60;

/** Watch the presence of the most recent conversation partners. */
function useWatchedPeers(order: readonly string[]): void {
  const { watchPresence } = useActions();
  const peers = useClientState((state) =>
    order
      .slice(0, MAX_WATCHED)
      .flatMap((roomId) => state.rooms.get(roomId)?.peer_id ?? [])
      .join(),
  );
  useEffect(() => {
    watchPresence("rooms", peers.split(",").filter(Boolean));
    return () => watchPresence("rooms", []);
  }, [peers, watchPresence]);
}

/** Offers notifications once there are conversations. */
function AlertAsk() {
  const { alerts } = useTexts();
  const may = useMayAsk();
  const any = useClientState((state) => state.order.length > 0);
  if (!may || !any) return null;
  return (
    <div className="notice alert-ask">
      <p>{alerts.ask}</p>
      <TextButton onClick={() => void setAlerts(true)}>{alerts.yes}</TextButton>
      <TextButton onClick={askLater}>{alerts.later}</TextButton>
    </div>
  );
}
