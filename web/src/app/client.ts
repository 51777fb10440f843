/** Hooks for the client's snapshots. Each view selects the part that it renders. */
import { createContext, use, useSyncExternalStore } from "react";

import type { Actions, Client, ClientState, Profile, ReadonlyStore, User } from "../core/index.ts";

export const ClientContext = createContext<Client | null>(null);

export function useClient(): Client {
  const client = use(ClientContext);
  if (!client) throw new Error("A view must be inside of a ClientContext.");
  return client;
}

export function useActions(): Actions {
  return useClient().actions;
}

/** The value that `select` returns must keep its identity while it does not change. */
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

/** Return the signed-in user. Only for views that are rendered while someone is signed in. */
export function useMe(): User {
  const me = useClientState((state) => state.me);
  if (!me) throw new Error("Nobody is signed in.");
  return me;
}
