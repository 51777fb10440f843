/** The state of what is shown over the page: at most one dialog, at most one popup, and toasts. */
import { useSyncExternalStore } from "react";

import type { Attachment } from "../core/index.ts";
import type { IconName } from "../ui/Icon.tsx";

export type DialogRequest =
  | { kind: "profile"; userId: string }
  | { kind: "new-chat" }
  | { kind: "invite"; roomId: string }
  | { kind: "rename"; roomId: string }
  | { kind: "readers"; roomId: string; seq: number }
  | { kind: "date"; roomId: string; onPick: (at: Date) => void }
  | { kind: "files"; roomId: string }
  | { kind: "viewer"; images: readonly Attachment[]; index: number; from?: string }
  | { kind: "leave"; roomId: string; title: string; text: string }
  | { kind: "switcher"; query?: string }
  | { kind: "shortcuts" }
  | {
      kind: "confirm";
      title: string;
      text: string;
      action: string;
      danger?: boolean;
      run: () => Promise<unknown>;
    };

export interface MenuItem {
  icon: IconName;
  label: string;
  danger?: boolean;
  run: () => void;
}

export type PopupRequest = { anchor: DOMRect } & (
  | { kind: "menu"; label: string; items: readonly MenuItem[] }
  | { kind: "emoji"; onPick: (emoji: string) => void }
);

export interface Toast {
  id: number;
  text: string;
  action?: { label: string; run: () => void } | undefined;
}

interface Overlay {
  dialog: DialogRequest | null;
  popup: PopupRequest | null;
  toasts: readonly Toast[];
}

const TOAST_MS = 5000;
const listeners = new Set<() => void>();
let overlay: Overlay = { dialog: null, popup: null, toasts: [] };
let openedFrom: { dialog: Element | null; popup: Element | null } = { dialog: null, popup: null };
/** True while the popup has the focus, and until the focus is restored after it closes. */
let inPopup = false;
let lastToast = 0;

function change(part: Partial<Overlay>): void {
  overlay = { ...overlay, ...part };
  for (const listener of listeners) listener();
}

export function openDialog(dialog: DialogRequest): void {
  // A dialog that a menu item opens returns the focus to the element that opened the menu.
  if (!overlay.dialog)
    openedFrom = { ...openedFrom, dialog: inPopup ? openedFrom.popup : document.activeElement };
  inPopup = false;
  change({ dialog, popup: null });
}

export function closeDialog(): void {
  change({ dialog: null });
  restoreFocus(openedFrom.dialog);
}

function openPopup(anchor: Element, request: (rect: DOMRect) => PopupRequest): void {
  openedFrom = { ...openedFrom, popup: anchor };
  inPopup = true;
  change({ popup: request(anchor.getBoundingClientRect()) });
}

export function openMenu(anchor: Element, label: string, items: readonly MenuItem[]): void {
  openPopup(anchor, (rect) => ({ kind: "menu", label, items, anchor: rect }));
}

export function openEmoji(anchor: Element, onPick: (emoji: string) => void): void {
  openPopup(anchor, (rect) => ({ kind: "emoji", onPick, anchor: rect }));
}

/** Close the popup. The focus returns to the element that opened it, or moves to `next`. */
export function closePopup(next: Element | null = openedFrom.popup): void {
  if (!overlay.popup) return;
  change({ popup: null });
  restoreFocus(next);
}

/** Move the focus back to an element. If it is gone, move it to the composer. */
function restoreFocus(element: Element | null): void {
  requestAnimationFrame(() => {
    if (overlay.dialog || overlay.popup) return;
    inPopup = false;
    if (document.activeElement && document.activeElement !== document.body) return;
    const back = element?.isConnected === true && element !== document.body ? element : composerField();
    if (back instanceof HTMLElement) back.focus();
  });
}

export function composerField(): HTMLTextAreaElement | null {
  return document.querySelector<HTMLTextAreaElement>("textarea[data-composer]");
}

export function toast(text: string, action?: Toast["action"], stays = false): void {
  const id = ++lastToast;
  change({ toasts: [...overlay.toasts.filter((one) => one.text !== text).slice(-2), { id, text, action }] });
  if (!stays) window.setTimeout(() => dismissToast(id), TOAST_MS);
}

export function dismissToast(id: number): void {
  change({ toasts: overlay.toasts.filter((one) => one.id !== id) });
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
}

export function useOverlay<T>(select: (state: Overlay) => T): T {
  return useSyncExternalStore(subscribe, () => select(overlay));
}

export function isCovered(): boolean {
  return overlay.dialog !== null || overlay.popup !== null;
}
