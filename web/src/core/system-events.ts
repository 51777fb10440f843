// What stands between a room's messages – who came and went, titles, pins – asked for by the versions of a page.
import type { Answer, Api } from "./api.ts";
import type { SystemEvent, VersionRange } from "./timeline.ts";
import type { Result } from "./types.ts";

type Page = Answer<"/api/rooms/{room_id}/events", "get">;

/** null: they cannot be had now. */
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
      query: { after, before, cursor },
    });
    if (!answered.ok) return null;
    events.push(...answered.value.items);
    cursor = answered.value.next;
  } while (cursor !== null);
  return events;
}
