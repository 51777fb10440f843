import type { Api } from "./api.ts";
import type { UserState } from "./user-state.ts";

/** The most users per request that the server accepts. */
const MAX_USERS = 200;
const PAUSE = 30;

/**
 * Loads the profiles of users that come into view, many in one request.
 *
 * Each profile is requested once per tab. Later changes of friends arrive as events.
 */
export class ProfileLoader {
  readonly #api: Api;
  readonly #userState: UserState;
  readonly #requested = new Set<string>();
  #queue = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(api: Api, userState: UserState) {
    this.#api = api;
    this.#userState = userState;
  }

  load(userIds: Iterable<string>): void {
    for (const userId of userIds) if (!this.#requested.has(userId)) this.#queue.add(userId);
    if (this.#queue.size > 0) this.#timer ??= setTimeout(() => void this.#fetch(), PAUSE);
  }

  markLoaded(userIds: Iterable<string>): void {
    for (const userId of userIds) this.#requested.add(userId);
  }

  markUnloaded(userId: string): void {
    this.#requested.delete(userId);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#queue.clear();
    this.#requested.clear();
  }

  async #fetch(): Promise<void> {
    this.#timer = undefined;
    const wanted = [...this.#queue];
    this.#queue = new Set(wanted.slice(MAX_USERS));
    const now = wanted.slice(0, MAX_USERS);
    this.markLoaded(now);
    const found = await this.#api.call("get", "/api/social/profiles", { query: { user_ids: now.join() } });
    if (found.ok) for (const profile of found.value.items) this.#userState.setProfile(profile);
    else for (const userId of now) this.markUnloaded(userId);
    this.load([]);
  }
}
