// WebChat's state, without a framework. Each tab makes one client. Views render its snapshots and call its actions.
export { createClient } from "./client.ts";
export type { Client } from "./client.ts";
export type * from "./actions/index.ts";
export type { Platform } from "./platform.ts";
export type * from "./types.ts";
