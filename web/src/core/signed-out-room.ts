// The store of a room while nobody is signed in. It is always empty.
import { failure } from "./requests.ts";
import { readCursors } from "./members.ts";
import type { Result, RoomState, RoomStore } from "./types.ts";

const EMPTY: RoomState = {
  status: "gone",
  room: null,
  members: [],
  entries: [],
  window: { hasBefore: false, hasAfter: false, loading: null, error: null },
  firstUnreadSeq: null,
  lastSeq: 0,
  typing: [],
  cursors: readCursors([]),
  quoted: new Map(),
};

const UNAUTHENTICATED: Result & { ok: false } = failure("unauthenticated", "Nobody is signed in.");

export class SignedOutRoom implements RoomStore {
  readonly roomId: string;

  constructor(roomId: string) {
    this.roomId = roomId;
  }

  readonly getSnapshot = (): RoomState => EMPTY;
  readonly subscribe = (): (() => void) => () => undefined;
  readonly open = (): void => undefined;
  readonly close = (): void => undefined;
  readonly setVisibleRange = (): void => undefined;
  readonly loadBefore = (): Promise<Result> => Promise.resolve(UNAUTHENTICATED);
  readonly loadAfter = (): Promise<Result> => Promise.resolve(UNAUTHENTICATED);
  readonly toLatest = (): Promise<Result> => Promise.resolve(UNAUTHENTICATED);
  readonly jumpTo = (): Promise<Result<{ seq: number }>> => Promise.resolve(UNAUTHENTICATED);
}
