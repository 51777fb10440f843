// Actions for finding, following and blocking users.
import type { PeopleActions } from "./index.ts";
import { done, paged } from "./context.ts";
import type { Context } from "./context.ts";
import type { Page, Profile, Result } from "../types.ts";

const FOLLOWING = "/api/social/following/{user_id}";
const BLOCK = "/api/social/blocks/{user_id}";

export function peopleActions({ api, session }: Context): PeopleActions {
  /** Remember the profiles of a result. */
  const remember = (found: Result<{ page: Page<Profile> }>): Result<{ page: Page<Profile> }> => {
    if (found.ok) for (const profile of found.page.items) session()?.userState.setProfile(profile);
    return found;
  };
  const from = (cursor: string | undefined): { cursor?: string } => (cursor === undefined ? {} : { cursor });
  return {
    async searchProfiles(webchatId, cursor) {
      const query = { webchat_id: webchatId, ...from(cursor) };
      return remember(paged(await api.call("get", "/api/social/profiles/search", { query })));
    },
    async listFollowers(cursor) {
      return remember(paged(await api.call("get", "/api/social/followers", { query: from(cursor) })));
    },
    async listBlocked(cursor) {
      return remember(paged(await api.call("get", "/api/social/blocks", { query: from(cursor) })));
    },
    loadProfiles(userIds) {
      session()?.profiles.load(userIds);
    },
    async follow(userId) {
      const result = await api.call("put", FOLLOWING, { path: { user_id: userId } });
      const profile = session()?.userState.profiles.get(userId);
      if (result.ok && profile) session()?.userState.setFriend(profile, true);
      return done(result);
    },
    async unfollow(userId) {
      const result = await api.call("delete", FOLLOWING, { path: { user_id: userId } });
      if (result.ok) session()?.userState.unfriend(userId);
      return done(result);
    },
    async block(userId) {
      return done(await api.call("put", BLOCK, { path: { user_id: userId } }));
    },
    async unblock(userId) {
      return done(await api.call("delete", BLOCK, { path: { user_id: userId } }));
    },
    watchPresence(view, userIds) {
      session()?.presence.set(view, userIds);
    },
  };
}
