// WebChat's state, without a framework: one client per tab, made once; views draw its snapshots and call its actions.
import type { Actions } from "./actions.ts";
import type { Alerts, ClientState, RoomStore, Store } from "./types.ts";

export type * from "./actions.ts";
export type * from "./types.ts";

export interface Client {
  readonly state: Store<ClientState>;
  /** The same store for the same room, until one is signed out. */
  readonly room: (roomId: string) => RoomStore;
  readonly actions: Actions;
  readonly alerts: Alerts;
  /** Ends sockets, timers and subscriptions. */
  readonly stop: () => void;
}

export declare function createClient(): Client;
