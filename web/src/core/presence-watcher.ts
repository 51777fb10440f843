import type { Reply } from "./requests.ts";
import type { UserState } from "./user-state.ts";

/** The most users that the server watches per connection. */
const MAX_USERS = 200;
const PAUSE = 30;

/**
 * Watches the presence of all users that any view shows.
 *
 * The server has one list per connection, so the lists of all views are merged.
 */
export class PresenceWatcher {
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

  /** Send the list again: the server forgets it with the connection. */
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
    const userIds = [...new Set([...this.#views.values()].flat())].slice(0, MAX_USERS);
    if (userIds.join() === this.#sent) return;
    this.#sent = userIds.join();
    const result = await this.#request(userIds);
    if (!result.ok) {
      this.#sent = "";
      return;
    }
    for (const [userId, status] of Object.entries(result.reply.presence ?? {}))
      this.#userState.presence.set(userId, status);
  }
}
