/** The URLs of the client, and the column that each one shows on a phone. */
export const paths = {
  rooms: "/",
  room: (roomId: string) => `/rooms/${roomId}`,
  details: (roomId: string) => `/rooms/${roomId}/details`,
  message: (roomId: string, seq: number) => `/rooms/${roomId}?at=${seq}`,
  friends: "/friends",
  friend: (userId: string) => `/friends/${userId}`,
  search: (search: { q?: string; room?: string; kind?: SearchKind } = {}) => {
    const query = new URLSearchParams();
    if (search.q) query.set("q", search.q);
    if (search.room) query.set("room", search.room);
    if (search.kind === "people") query.set("kind", "people");
    const text = query.toString();
    return text === "" ? "/search" : `/search?${text}`;
  },
  settings: "/settings",
  setting: (name: SettingName) => `/settings/${name}`,
};

export type SearchKind = "messages" | "people";

export const settingNames = [
  "profile",
  "account",
  "devices",
  "alerts",
  "display",
  "blocked",
  "shortcuts",
] as const;
export type SettingName = (typeof settingNames)[number];

export type Route =
  | { area: "rooms"; roomId: string | null; details: boolean }
  | { area: "friends"; userId: string | null }
  | { area: "search" }
  | { area: "settings"; name: SettingName | null };

export function parseRoute(path: string): Route {
  const [area, id, more] = path.split("/").filter(Boolean);
  switch (area) {
    case "friends":
      return { area, userId: id ?? null };
    case "search":
      return { area };
    case "settings":
      return { area, name: settingNames.find((name) => name === id) ?? null };
    default:
      return {
        area: "rooms",
        roomId: area === "rooms" && id !== undefined ? id : null,
        details: more === "details",
      };
  }
}

/** Return whether a phone shows the main column. It shows either the list or what was chosen from it. */
export function showsMain(route: Route): boolean {
  switch (route.area) {
    case "rooms":
      return route.roomId !== null;
    case "friends":
      return route.userId !== null;
    case "search":
      return false;
    case "settings":
      return route.name !== null;
  }
}
