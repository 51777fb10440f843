// WebChat's state, without a framework: one client per tab, made once; views draw its snapshots and call its actions.
export { createClient } from "./client.ts";
export type { Client } from "./client.ts";
export type * from "./actions/index.ts";
export type { Platform } from "./platform.ts";
export type * from "./types.ts";
