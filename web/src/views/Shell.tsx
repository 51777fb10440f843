import { lazy, Suspense, useCallback, useEffect, useMemo } from "react";
import { useLocation, useSearchParams } from "wouter";

import { useClientState, useProfiles } from "../app/client.ts";
import { useHotkeys } from "../app/hotkeys.ts";
import { opensMain, paths, placeOf, type Place } from "../app/paths.ts";
import { usePhone } from "../app/screen.ts";
import { useTitle } from "../app/title.ts";
import { useTexts, type Texts } from "../i18n/index.ts";
import { Empty } from "../ui/Empty.tsx";
import { Rail, TabBar } from "./Navigation.tsx";
import { RoomsPane } from "./rooms/RoomsPane.tsx";
import { RoomPage } from "./room/RoomPage.tsx";
import { nameOf, titleOf } from "../format/text.ts";

const FriendsPane = lazy(() => import("./friends/FriendsPane.tsx"));
const FriendPage = lazy(() => import("./friends/FriendPage.tsx"));
const SearchPane = lazy(() => import("./search/SearchPane.tsx"));
const SettingsPane = lazy(() => import("./settings/SettingsPane.tsx"));
const SettingsPage = lazy(() => import("./settings/SettingsPage.tsx"));

export function Shell() {
  const [path, go] = useLocation();
  const texts = useTexts();
  const phone = usePhone();
  const place = useMemo(() => placeOf(path), [path]);
  const order = useClientState((state) => state.order);
  const roomId = place.area === "rooms" ? place.roomId : null;
  const step = useCallback(
    (by: 1 | -1) => {
      const at = roomId === null ? -1 : order.indexOf(roomId);
      const next = order[(at + by + order.length) % order.length];
      if (next !== undefined) go(paths.room(next));
    },
    [order, roomId, go],
  );
  useHotkeys({ step });
  usePlaceTitle(place, texts);
  usePreload();

  return (
    <div className="shell" data-screen={opensMain(place) ? "main" : "list"}>
      <a className="skip-link" href="#main">
        {texts.skipToMain}
      </a>
      <Rail area={place.area} />
      <ListPane place={place} main={phone && !opensMain(place)} />
      <main className="main-pane" id="main" tabIndex={-1}>
        <Suspense fallback={<Waiting area={place.area} />}>
          <MainPane place={place} />
        </Suspense>
      </main>
      <TabBar area={place.area} />
    </div>
  );
}

function Waiting({ area }: { area: Place["area"] }) {
  const { nav } = useTexts();
  return (
    <div className="blank-main">
      <h1 className="sr-only">{nav[area]}</h1>
    </div>
  );
}

/** On a phone the list is all there is: it is the main part then. */
function ListPane({ place, main }: { place: Place; main: boolean }) {
  const { nav } = useTexts();
  const [query] = useSearchParams();
  const fromSearch = place.area === "rooms" && place.roomId !== null && query.has("q");
  return (
    <section className="list-pane" role={main ? "main" : "region"} aria-label={nav[place.area]}>
      <Suspense
        fallback={
          <header className="pane-header">
            <h1>{nav[place.area]}</h1>
          </header>
        }
      >
        {place.area === "rooms" && !fromSearch && <RoomsPane selected={place.roomId} />}
        {place.area === "friends" && <FriendsPane selected={place.userId} />}
        {(place.area === "search" || fromSearch) && <SearchPane />}
        {place.area === "settings" && <SettingsPane selected={place.name} />}
      </Suspense>
    </section>
  );
}

function MainPane({ place }: { place: Place }) {
  const { rooms, friends, search, settings } = useTexts();
  switch (place.area) {
    case "rooms":
      if (place.roomId !== null)
        return <RoomPage key={place.roomId} roomId={place.roomId} details={place.details} />;
      return <Blank title={rooms.pickTitle} text={rooms.pickText} drawing="bubbles" />;
    case "friends":
      if (place.userId !== null) return <FriendPage key={place.userId} userId={place.userId} />;
      return <Blank title={friends.pickTitle} text={friends.pickText} drawing="people" />;
    case "search":
      return <Blank title={search.title} text={search.pickText} drawing="search" />;
    case "settings":
      if (place.name !== null) return <SettingsPage name={place.name} />;
      return <Blank title={settings.title} text={settings.pick} drawing="people" />;
  }
}

function Blank(look: { title: string; text: string; drawing: "bubbles" | "people" | "search" }) {
  return (
    <div className="page">
      <div className="page-body centre">
        <Empty {...look} />
      </div>
    </div>
  );
}

function usePlaceTitle(place: Place, texts: Texts): void {
  const unread = useClientState((state) => state.totalUnread);
  const profiles = useProfiles();
  const rooms = useClientState((state) => state.rooms);
  const title = (() => {
    switch (place.area) {
      case "rooms": {
        const room = place.roomId === null ? undefined : rooms.get(place.roomId);
        return room ? titleOf(room, profiles, texts) : texts.rooms.title;
      }
      case "friends":
        return place.userId === null ? texts.friends.title : nameOf(profiles.get(place.userId), texts);
      case "search":
        return texts.search.title;
      case "settings":
        return place.name === null ? texts.settings.title : texts.settings[place.name];
    }
  })();
  useTitle(title, unread);
}

/** What the next click may need, fetched once nothing else is to do. */
function usePreload(): void {
  useEffect(() => {
    const timer = window.setTimeout(() => {
      void import("./dialogs/Popups.tsx");
      void import("./dialogs/Dialogs.tsx");
    }, 3000);
    return () => window.clearTimeout(timer);
  }, []);
}
