// Profiles of whoever comes into sight, fetched together; and who of them is there.
import type { Api } from "./api.ts";
import type { UserState } from "./user-state.ts";
import type { Reply } from "./requests.ts";

const AT_ONCE = 200;
const PAUSE = 30;

/** Each profile is asked for once in the life of the tab; later changes of friends come as events. */
export class Profiles {
  readonly #api: Api;
  readonly #userState: UserState;
  readonly #asked = new Set<string>();
  #wanted = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(api: Api, userState: UserState) {
    this.#api = api;
    this.#userState = userState;
  }

  need(userIds: Iterable<string>): void {
    for (const userId of userIds) if (!this.#asked.has(userId)) this.#wanted.add(userId);
    if (this.#wanted.size > 0) this.#timer ??= setTimeout(() => void this.#fetch(), PAUSE);
  }

  known(userIds: Iterable<string>): void {
    for (const userId of userIds) this.#asked.add(userId);
  }

  forget(userId: string): void {
    this.#asked.delete(userId);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#wanted.clear();
    this.#asked.clear();
  }

  async #fetch(): Promise<void> {
    this.#timer = undefined;
    const wanted = [...this.#wanted];
    this.#wanted = new Set(wanted.slice(AT_ONCE));
    const now = wanted.slice(0, AT_ONCE);
    this.known(now);
    const found = await this.#api.call("get", "/api/social/profiles", { query: { user_ids: now.join() } });
    if (found.ok) for (const profile of found.value.items) this.#userState.setProfile(profile);
    else for (const userId of now) this.forget(userId);
    this.need([]);
  }
}

/** Who is watched, by the names of the views that watch. */
export class Watch {
  readonly #request: (userIds: string[]) => Promise<Reply>;
  readonly #userState: UserState;
  readonly #views = new Map<string, readonly string[]>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #sent = "";

  constructor(request: (userIds: string[]) => Promise<Reply>, userState: UserState) {
    this.#request = request;
    this.#userState = userState;
  }

  set(view: string, userIds: readonly string[]): void {
    if (userIds.length > 0) this.#views.set(view, userIds);
    else this.#views.delete(view);
    this.#timer ??= setTimeout(() => void this.#send(), PAUSE);
  }

  /** A new line knows nothing of what was watched before. */
  resume(): void {
    this.#sent = "";
    void this.#send();
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#views.clear();
  }

  async #send(): Promise<void> {
    this.#timer = undefined;
    const userIds = [...new Set([...this.#views.values()].flat())].slice(0, AT_ONCE);
    if (userIds.join() === this.#sent) return;
    this.#sent = userIds.join();
    const answered = await this.#request(userIds);
    if (!answered.ok) {
      this.#sent = "";
      return;
    }
    for (const [userId, status] of Object.entries(answered.reply.presence ?? {}))
      this.#userState.presence.set(userId, status);
  }
}
