// The client of one tab: who is signed in, the snapshot of everything outside of rooms, and the other tabs.
import { v4 as uuid } from "uuid";
import { accountActions } from "./actions/account.ts";
import type { Actions } from "./actions/index.ts";
import { messageActions } from "./actions/messages.ts";
import type { MessageContext } from "./actions/messages.ts";
import { peopleActions } from "./actions/people.ts";
import { roomActions } from "./actions/rooms.ts";
import { AlertDispatcher } from "./alerts.ts";
import { Api } from "./api.ts";
import { openDatabase } from "./database.ts";
import type { Database, StoredUserState } from "./database.ts";
import { Drafts } from "./drafts.ts";
import type { UserSnapshot } from "./user-state.ts";
import { Session } from "./session.ts";
import type { SessionHost } from "./session.ts";
import { browserPlatform } from "./platform.ts";
import type { Platform } from "./platform.ts";
import { SignedOutRoom } from "./signed-out-room.ts";
import { UpdateBatch, Store } from "./store.ts";
import { Tabs } from "./tabs.ts";
import type { TabMessage } from "./tabs.ts";
import type {
  Alerts,
  ClientState,
  ConnectionState,
  Notice,
  Phase,
  RoomStore,
  ReadonlyStore,
  User,
} from "./types.ts";

export interface Client {
  readonly state: ReadonlyStore<ClientState>;
  /** Return the store of a room. It is the same object until the user signs out. */
  readonly room: (roomId: string) => RoomStore;
  readonly actions: Actions;
  readonly alerts: Alerts;
  /** Close sockets, timers and subscriptions. */
  readonly stop: () => void;
}

const NOBODY: UserSnapshot = {
  me: null,
  friends: [],
  profiles: new Map(),
  rooms: new Map(),
  order: [],
  presence: new Map(),
  totalUnread: 0,
};
const RETRY_START = 3_000;
/** The key in the text storage for the user whose data this browser stores. */
const OWNER = "webchat.signed_in";

export function createClient(platform: Platform = browserPlatform()): Client {
  return new WebClient(platform);
}

class WebClient implements Client {
  readonly state: Store<ClientState>;
  readonly alerts = new AlertDispatcher();
  readonly actions: Actions;
  readonly #platform: Platform;
  readonly #batch: UpdateBatch;
  readonly #tab = uuid();
  readonly #tabs: Tabs;
  readonly #drafts: Drafts;
  readonly #api: Api;
  readonly #database: Promise<Database>;
  readonly #unlisten: () => void;
  #disconnected: ConnectionState;
  #session: Session | null = null;
  #phase: Phase = "starting";
  #signedOutBecause: ClientState["signedOutBecause"] = null;
  #notices: readonly Notice[] = [];
  #failedRooms: ReadonlySet<string> = new Set();
  #network = true;
  #gaps = 0;
  #stopped = false;

  constructor(platform: Platform) {
    this.#platform = platform;
    this.#batch = new UpdateBatch(platform.schedule);
    this.state = new Store(this.#batch, (before) => this.#build(before));
    this.#disconnected = { status: "connecting", since: platform.now() };
    this.#api = new Api(platform, (ended) => this.#sessionGone(ended));
    this.#tabs = new Tabs(platform, (message) => this.#tabMessageReceived(message));
    this.#drafts = new Drafts(
      platform.storage,
      () => this.#invalidate(),
      (roomId) => this.#session?.room(roomId).invalidate(),
    );
    this.actions = this.#makeActions();
    this.#database = openDatabase();
    this.#unlisten = platform.listen({
      wake: () => this.#session?.transport.input({ type: "wake" }),
      networkChanged: (online) => this.#networkChanged(online),
      hidden: () => this.#hidden(),
      storageChanged: (key) => this.#drafts.storageChanged(key),
    });
    this.#tabs.lead(() => {
      this.alerts.lead();
      this.#invalidate();
    });
    void this.#start();
  }

  readonly room = (roomId: string): RoomStore => this.#session?.room(roomId) ?? new SignedOutRoom(roomId);

  readonly stop = (): void => {
    this.#stopped = true;
    this.#hidden();
    this.#unlisten();
    this.#session?.end();
    this.#tabs.end();
    void this.#database.then((database) => database.close());
  };

  // Session

  /** Start from the stored state if there is one. Otherwise ask the server whose cookie it is. */
  async #start(): Promise<void> {
    const database = await this.#database;
    const stored = await database.loadUserState().catch(() => undefined);
    if (this.#stopped || this.#session) return;
    if (stored) this.#begin(database, stored.user, stored);
    else await this.#signInByCookie(database);
  }

  async #signInByCookie(database: Database): Promise<void> {
    const me = await this.#api.call("get", "/api/auth/me");
    if (this.#stopped || this.#session || this.#phase === "signed_out") return;
    if (me.ok) await this.#signedIn(me.value);
    else if (this.#owner() === null) this.#setPhase("signed_out", null);
    else setTimeout(() => void this.#signInByCookie(database), RETRY_START);
  }

  #begin(database: Database, user: User, stored?: StoredUserState): void {
    const { alerts } = this;
    const [platform, batch, api, tabs, drafts] = [
      this.#platform,
      this.#batch,
      this.#api,
      this.#tabs,
      this.#drafts,
    ];
    const host: SessionHost = {
      platform,
      batch,
      database,
      api,
      tabs,
      alerts,
      drafts,
      changed: () => this.#invalidate(),
      ready: () => this.#setPhase("ready", null),
      notice: (notice) => this.#notice(notice),
      gapFound: () => {
        this.#gaps += 1;
        this.#invalidate();
      },
      sessionGone: () => this.#sessionGone(true),
      replaced: (next) => void this.#replace(next),
    };
    this.#setOwner(user);
    this.#session = new Session(user, host);
    this.#setPhase(stored ? "ready" : "starting", null);
    if (!this.#network) this.#session.transport.input({ type: "network", online: false });
    this.#session.start(stored);
  }

  #owner(): string | null {
    return this.#platform.storage?.getItem(OWNER) ?? null;
  }

  #setOwner(user: User): void {
    try {
      this.#platform.storage?.setItem(OWNER, user.user_id);
    } catch {
      return; // With a full storage, the stored data counts as another user's at the next sign-in.
    }
  }

  /** Start a session. Data of the same user's expired session is used, another user's is deleted. */
  async #signedIn(user: User): Promise<void> {
    if (this.#session) return;
    const database = await this.#database;
    if (this.#owner() !== user.user_id) await this.#forget();
    this.#begin(database, user);
    this.#tabs.broadcast({ type: "signed_in" });
  }

  async #replace(user: User): Promise<void> {
    const database = await this.#forget();
    this.#setPhase("starting", null);
    this.#begin(database, user);
  }

  #sessionGone(ended: boolean): void {
    if (this.#session) this.#signedOut(ended ? "revoked" : "expired");
    else if (ended) this.#signedOut(null);
    else if (this.#phase !== "signed_out") this.#setPhase("signed_out", null);
  }

  #signedOut(because: ClientState["signedOutBecause"], fromTab = false): void {
    if (this.#phase === "signed_out") return;
    const known = this.#session !== null;
    this.#setPhase("signed_out", because);
    void (because === "expired" ? this.#endExpired() : this.#forget());
    if (known && !fromTab) this.#tabs.broadcast({ type: "signed_out", because: because ?? "elsewhere" });
  }

  /** End an expired session: unsent messages and drafts stay for the next sign-in, the cache is deleted. */
  async #endExpired(): Promise<void> {
    this.#end();
    const database = await this.#database;
    await database.wipeCache().catch(() => undefined);
  }

  /** End the session and delete everything that this browser stores about the user. */
  async #forget(): Promise<Database> {
    this.#end();
    this.#drafts.clear();
    this.#platform.storage?.removeItem(OWNER);
    const database = await this.#database;
    await database.wipe().catch(() => undefined);
    return database;
  }

  #end(): void {
    this.#drafts.flush();
    this.#session?.end();
    this.#session = null;
    this.#notices = [];
    this.alerts.clear();
    this.#invalidate();
  }

  #setPhase(phase: Phase, because: ClientState["signedOutBecause"]): void {
    this.#phase = phase;
    this.#signedOutBecause = because;
    this.#invalidate();
  }

  // Tabs and browser events

  #tabMessageReceived(message: TabMessage): void {
    switch (message.type) {
      case "outbox":
        return this.#session?.acknowledged(message.done);
      case "read":
        this.#session?.read(message.roomId, message.seq);
        return this.#session?.readCursors.advancedInOtherTab(message.roomId, message.seq);
      case "focus":
        return this.alerts.focus(message.tab, message.roomId);
      case "signed_in":
        if (this.#phase !== "signed_out") return;
        this.#setPhase("starting", null);
        void this.#start();
        return;
      case "signed_out":
        return this.#signedOut(message.because, true);
    }
  }

  #networkChanged(online: boolean): void {
    this.#network = online;
    this.#disconnected = { status: online ? "connecting" : "offline", since: this.#platform.now() };
    this.#invalidate();
    this.#session?.transport.input({ type: "network", online });
  }

  #hidden(): void {
    this.#drafts.flush();
    this.#session?.hidden();
  }

  // Snapshot

  #invalidate(): void {
    this.state.invalidate();
  }

  #notice(notice: Omit<Notice, "id">): void {
    const { retryAfter } = notice.error;
    const retryAt = retryAfter === undefined ? {} : { retryAt: this.#platform.now() + retryAfter * 1_000 };
    this.#notices = [...this.#notices, { ...notice, ...retryAt, id: uuid() }];
    this.#invalidate();
  }

  #build(before: ClientState | undefined): ClientState {
    const session = this.#session;
    const failedRooms = session?.outbox.failedRooms() ?? new Set<string>();
    if (!isSameSet(failedRooms, this.#failedRooms)) this.#failedRooms = failedRooms;
    return {
      ...(session ? session.userState.snapshot(before) : NOBODY),
      phase: this.#phase,
      signedOutBecause: this.#signedOutBecause,
      connection: session?.transport.state ?? this.#disconnected,
      drafts: this.#drafts.byRoom.snapshot(),
      failedRooms: this.#failedRooms,
      unsent: session?.outbox.unsent ?? 0,
      notices: this.#notices,
      leader: this.alerts.leading,
      gaps: this.#gaps,
    };
  }

  #makeActions(): Actions {
    const context: MessageContext = {
      api: this.#api,
      batch: this.#batch,
      drafts: this.#drafts,
      tabs: this.#tabs,
      session: () => this.#session,
      signedIn: (user) => void this.#signedIn(user),
      signedOut: (because) => this.#signedOut(because),
      notice: (notice) => this.#notice(notice),
    };
    return {
      ...accountActions(context),
      ...peopleActions(context),
      ...roomActions(context),
      ...messageActions(context),
      figures: async () => {
        const result = await this.#api.call("get", "/api/ops/figures");
        return result.ok ? { ok: true, figures: result.value } : result;
      },
      reconnect: () => this.#session?.transport.input({ type: "reconnect" }),
      dismissNotice: (id) => {
        this.#notices = this.#notices.filter((notice) => notice.id !== id);
        this.#invalidate();
      },
      setFocus: (roomId) => {
        this.alerts.focus(this.#tab, roomId);
        this.#tabs.broadcast({ type: "focus", tab: this.#tab, roomId });
      },
    };
  }
}

function isSameSet<T>(a: ReadonlySet<T>, b: ReadonlySet<T>): boolean {
  return a.size === b.size && [...a].every((item) => b.has(item));
}
