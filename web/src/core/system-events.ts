// Loads the system events of a room, such as joins, titles and pins, for a range of versions.
import type { ResponseBody, Api } from "./api.ts";
import type { SystemEvent, VersionRange } from "./timeline.ts";
import type { Result } from "./types.ts";

type Page = ResponseBody<"/api/rooms/{room_id}/events", "get">;

/** Return null if they cannot be loaded now. */
export async function listSystemEvents(
  api: Api,
  roomId: string,
  { after, before }: VersionRange,
): Promise<readonly SystemEvent[] | null> {
  const events: SystemEvent[] = [];
  let cursor: string | null = null;
  do {
    const answered: Result<{ value: Page }> = await api.call("get", "/api/rooms/{room_id}/events", {
      path: { room_id: roomId },
      query: { after, before, ...(cursor === null ? {} : { cursor }) },
    });
    if (!answered.ok) return null;
    events.push(...answered.value.items);
    cursor = answered.value.next;
  } while (cursor !== null);
  return events;
}
