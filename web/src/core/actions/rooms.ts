// Actions for creating rooms, and for their members and settings.
import type { RoomActions } from "./index.ts";
import { done, unauthenticated } from "./context.ts";
import type { Context } from "./context.ts";
import type { ResponseBody } from "../api.ts";
import type { Result, RoomSummary } from "../types.ts";

const ROOM = "/api/rooms/{room_id}";
const MEMBERS = "/api/rooms/{room_id}/members";
const MEMBER = "/api/rooms/{room_id}/members/{user_id}";

export function roomActions({ api, session }: Context): RoomActions {
  const added = (
    result: Result<{ value: ResponseBody<"/api/rooms", "post"> }>,
  ): Result<{ room: RoomSummary }> => {
    if (!result.ok) return result;
    const room = session()?.userState.addRoom(result.value);
    return room ? { ok: true, room } : unauthenticated();
  };
  const change = async (
    roomId: string,
    body: { title?: string; muted?: boolean; pinned_seq?: number | null },
  ): Promise<Result> => done(await api.call("patch", ROOM, { path: { room_id: roomId }, body }));
  return {
    async createDirect(userId) {
      return added(await api.call("post", "/api/rooms", { body: { kind: "direct", user_id: userId } }));
    },
    async createGroup(title, userIds) {
      const body = { kind: "group" as const, title, user_ids: [...userIds] };
      return added(await api.call("post", "/api/rooms", { body }));
    },
    async invite(roomId, userIds) {
      const body = { user_ids: [...userIds] };
      return done(await api.call("post", MEMBERS, { path: { room_id: roomId }, body }));
    },
    async leave(roomId) {
      return done(await api.call("delete", `${MEMBERS}/me`, { path: { room_id: roomId } }));
    },
    async kick(roomId, userId) {
      return done(await api.call("delete", MEMBER, { path: { room_id: roomId, user_id: userId } }));
    },
    async setRole(roomId, userId, role) {
      const path = { room_id: roomId, user_id: userId };
      return done(await api.call("patch", MEMBER, { path, body: { role } }));
    },
    async setMuted(roomId, muted) {
      const result = await change(roomId, { muted });
      if (result.ok) session()?.userState.setMuted(roomId, muted);
      return result;
    },
    rename: (roomId, title) => change(roomId, { title }),
    pin: (roomId, seq) => change(roomId, { pinned_seq: seq }),
  };
}
