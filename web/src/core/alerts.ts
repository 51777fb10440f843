// Decides which messages cause a notification. Only the leading tab shows them, once per message and never for a room
// that is visible in a focused tab. They are withdrawn when the message was read anywhere.
import type { AlertChange, Alerts, Message, RoomSummary } from "./types.ts";

export class AlertDispatcher implements Alerts {
  readonly #listeners = new Set<(change: AlertChange) => void>();
  /** The room that each tab shows while it has the focus. */
  readonly #focus = new Map<string, string>();
  readonly #shown = new Map<string, number>();
  #leading = false;

  get leading(): boolean {
    return this.#leading;
  }

  lead(): void {
    this.#leading = true;
  }

  readonly subscribe = (listener: (change: AlertChange) => void): (() => void) => {
    const own = (change: AlertChange): void => listener(change);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  };

  focus(tab: string, roomId: string | null): void {
    if (roomId === null) this.#focus.delete(tab);
    else this.#focus.set(tab, roomId);
  }

  messageReceived(message: Message, room: RoomSummary | undefined, me: string): void {
    const { room_id: roomId, seq } = message;
    const mentioned = message.mentions?.includes(me) ?? false;
    const wanted = room !== undefined && (!room.muted || mentioned) && room.read_seq < seq;
    if (!this.#leading || !wanted || message.sender_id === me || message.deleted) return;
    if ([...this.#focus.values()].includes(roomId) || seq <= (this.#shown.get(roomId) ?? 0)) return;
    this.#shown.set(roomId, seq);
    this.#emit({ kind: "show", roomId, message, mentioned });
  }

  read(roomId: string, upTo: number): void {
    const shown = this.#shown.get(roomId);
    if (shown === undefined) return;
    if (upTo >= shown) this.#shown.delete(roomId);
    this.#emit({ kind: "withdraw", roomId, upTo });
  }

  clear(): void {
    for (const [roomId, seq] of this.#shown) this.#emit({ kind: "withdraw", roomId, upTo: seq });
    this.#shown.clear();
  }

  #emit(change: AlertChange): void {
    for (const listener of [...this.#listeners]) listener(change);
  }
}
