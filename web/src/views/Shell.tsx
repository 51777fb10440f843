import { lazy, Suspense, useCallback, useEffect, useMemo } from "react";
import { useLocation, useSearchParams } from "wouter";

import { useClientState, useProfiles } from "../app/client.ts";
import { useHotkeys } from "../app/hotkeys.ts";
import { showsMain, paths, parseRoute, type Route } from "../app/paths.ts";
import { usePhone } from "../app/screen.ts";
import { useTitle } from "../app/title.ts";
import { useTexts, type Texts } from "../i18n/index.ts";
import { EmptyState } from "../ui/EmptyState.tsx";
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
  const route = useMemo(() => parseRoute(path), [path]);
  const order = useClientState((state) => state.order);
  const roomId = route.area === "rooms" ? route.roomId : null;
  const step = useCallback(
    (by: 1 | -1) => {
      const at = roomId === null ? -1 : order.indexOf(roomId);
      const next = order[(at + by + order.length) % order.length];
      if (next !== undefined) go(paths.room(next));
    },
    [order, roomId, go],
  );
  useHotkeys({ step });
  useRouteTitle(route, texts);
  usePreload();

  return (
    <div className="shell" data-screen={showsMain(route) ? "main" : "list"}>
      <a className="skip-link" href="#main">
        {texts.skipToMain}
      </a>
      <Rail area={route.area} />
      <ListPane route={route} main={phone && !showsMain(route)} />
      <main className="main-pane" id="main" tabIndex={-1}>
        <Suspense fallback={<MainFallback area={route.area} />}>
          <MainPane route={route} />
        </Suspense>
      </main>
      <TabBar area={route.area} />
    </div>
  );
}

function MainFallback({ area }: { area: Route["area"] }) {
  const { nav } = useTexts();
  return (
    <div className="blank-main">
      <h1 className="sr-only">{nav[area]}</h1>
    </div>
  );
}

/** The list column. On a phone it is the only column, and therefore the main landmark. */
function ListPane({ route, main }: { route: Route; main: boolean }) {
  const { nav } = useTexts();
  const [query] = useSearchParams();
  const fromSearch = route.area === "rooms" && route.roomId !== null && query.has("q");
  return (
    <section className="list-pane" role={main ? "main" : "region"} aria-label={nav[route.area]}>
      <Suspense
        fallback={
          <header className="pane-header">
            <h1>{nav[route.area]}</h1>
          </header>
        }
      >
        {route.area === "rooms" && !fromSearch && <RoomsPane selected={route.roomId} />}
        {route.area === "friends" && <FriendsPane selected={route.userId} />}
        {(route.area === "search" || fromSearch) && <SearchPane />}
        {route.area === "settings" && <SettingsPane selected={route.name} />}
      </Suspense>
    </section>
  );
}

function MainPane({ route }: { route: Route }) {
  const { rooms, friends, search, settings } = useTexts();
  switch (route.area) {
    case "rooms":
      if (route.roomId !== null)
        return <RoomPage key={route.roomId} roomId={route.roomId} details={route.details} />;
      return <Placeholder title={rooms.pickTitle} text={rooms.pickText} drawing="bubbles" />;
    case "friends":
      if (route.userId !== null) return <FriendPage key={route.userId} userId={route.userId} />;
      return <Placeholder title={friends.pickTitle} text={friends.pickText} drawing="people" />;
    case "search":
      return <Placeholder title={search.title} text={search.pickText} drawing="search" />;
    case "settings":
      if (route.name !== null) return <SettingsPage name={route.name} />;
      return <Placeholder title={settings.title} text={settings.pick} drawing="people" />;
  }
}

function Placeholder(look: { title: string; text: string; drawing: "bubbles" | "people" | "search" }) {
  return (
    <div className="page">
      <div className="page-body centre">
        <EmptyState {...look} />
      </div>
    </div>
  );
}

function useRouteTitle(route: Route, texts: Texts): void {
  const unread = useClientState((state) => state.totalUnread);
  const profiles = useProfiles();
  const rooms = useClientState((state) => state.rooms);
  const title = (() => {
    switch (route.area) {
      case "rooms": {
        const room = route.roomId === null ? undefined : rooms.get(route.roomId);
        return room ? titleOf(room, profiles, texts) : texts.rooms.title;
      }
      case "friends":
        return route.userId === null ? texts.friends.title : nameOf(profiles.get(route.userId), texts);
      case "search":
        return texts.search.title;
      case "settings":
        return route.name === null ? texts.settings.title : texts.settings[route.name];
    }
  })();
  useTitle(title, unread);
}

/** Load the code that the next click may need, once the first screen is done. */
function usePreload(): void {
  useEffect(() => {
    const timer = window.setTimeout(() => {
      // Without network, the click itself loads them again and shows the error.
      Promise.all([import("./dialogs/Popups.tsx"), import("./dialogs/Dialogs.tsx")]).catch(() => undefined);
    }, 3000);
    return () => window.clearTimeout(timer);
  }, []);
}
