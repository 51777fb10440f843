/** The client's snapshots, drawn by views: each takes the part that it shows. */
import { createContext, use, useSyncExternalStore } from "react";

import type { Actions, Client, ClientState, Profile, ReadonlyStore, User } from "../core/index.ts";

export const ClientContext = createContext<Client | null>(null);

export function useClient(): Client {
  const client = use(ClientContext);
  if (!client) throw new Error("no client around this view");
  return client;
}

export function useActions(): Actions {
  return useClient().actions;
}

/** What `select` picks must keep its identity while it does not change. */
export function useStore<S, T>(store: ReadonlyStore<S>, select: (state: S) => T): T {
  return useSyncExternalStore(store.subscribe, () => select(store.getSnapshot()));
}

export function useClientState<T>(select: (state: ClientState) => T): T {
  return useStore(useClient().state, select);
}

export function useProfile(userId: string): Profile | undefined {
  return useClientState((state) => state.profiles.get(userId));
}

export function useProfiles(): ReadonlyMap<string, Profile> {
  return useClientState((state) => state.profiles);
}

/** Only inside the part that is drawn when one is signed in. */
export function useMe(): User {
  const me = useClientState((state) => state.me);
  if (!me) throw new Error("nobody is signed in");
  return me;
}
