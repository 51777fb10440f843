/** System notifications for new messages. The core decides which messages cause one, and only in one tab. */
import { useEffect, useSyncExternalStore } from "react";

import type { AlertChange, Client } from "../core/index.ts";
import { currentTexts } from "../i18n/index.ts";
import { nameOf, previewOf, titleOf } from "../format/text.ts";

const SETTING_KEY = "webchat.alerts";
const ASK_LATER_KEY = "webchat.alerts.later";
const LATER_MS = 14 * 24 * 3_600_000;
const SENDER_TIMEOUT_MS = 2000;
const listeners = new Set<() => void>();
const shown = new Map<string, { seq: number; alert: Notification }[]>();

export type AlertSetting = "on" | "off" | "denied" | "ask" | "unsupported";

export function alertSetting(): AlertSetting {
  if (typeof Notification === "undefined") return "unsupported";
  if (Notification.permission === "denied") return "denied";
  if (Notification.permission === "default") return "ask";
  return localStorage.getItem(SETTING_KEY) === "off" ? "off" : "on";
}

function changed(): void {
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
}

export function useAlertSetting(): AlertSetting {
  return useSyncExternalStore(subscribe, alertSetting);
}

/** Return whether to offer notifications: not if the user postponed the offer recently. */
function mayAsk(): boolean {
  return alertSetting() === "ask" && Date.now() - Number(localStorage.getItem(ASK_LATER_KEY) ?? 0) > LATER_MS;
}

export function useMayAsk(): boolean {
  return useSyncExternalStore(subscribe, mayAsk);
}

export function askLater(): void {
  localStorage.setItem(ASK_LATER_KEY, String(Date.now()));
  changed();
}

export async function setAlerts(on: boolean): Promise<void> {
  if (on) {
    localStorage.removeItem(SETTING_KEY);
    if (Notification.permission === "default") await Notification.requestPermission();
  } else {
    localStorage.setItem(SETTING_KEY, "off");
  }
  changed();
}

/** Wait until the sender's profile is loaded, or for a limited time. */
function waitForSender({ state }: Client, userId: string): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (state.getSnapshot().profiles.has(userId)) end();
    };
    const forget = state.subscribe(look);
    const timer = window.setTimeout(end, SENDER_TIMEOUT_MS);
    function end(): void {
      forget();
      window.clearTimeout(timer);
      resolve();
    }
    look();
  });
}

async function show(
  client: Client,
  change: AlertChange & { kind: "show" },
  go: (path: string) => void,
): Promise<void> {
  await waitForSender(client, change.message.sender_id);
  const { rooms, profiles } = client.state.getSnapshot();
  const room = rooms.get(change.roomId);
  if (room === undefined || room.read_seq >= change.message.seq) return; // Read, left or signed out in the meantime.
  const texts = currentTexts();
  const sender = nameOf(profiles.get(change.message.sender_id), texts);
  const preview = previewOf(change.message, texts);
  const direct = room.kind === "direct";
  const title = direct ? sender : titleOf(room, profiles, texts);
  const options = {
    body: direct ? preview : `${sender}: ${preview}`,
    tag: `${change.roomId}.${change.message.seq}`,
  };
  try {
    const alert = new Notification(title, { ...options, icon: "/icons/icon-192.png" });
    alert.onclick = () => {
      window.focus();
      go(`/rooms/${change.roomId}`);
      alert.close();
    };
    const list = shown.get(change.roomId) ?? [];
    shown.set(change.roomId, [...list, { seq: change.message.seq, alert }]);
  } catch {
    // Mobile browsers show notifications only through the service worker.
    void showByWorker(title, { ...options, data: { path: `/rooms/${change.roomId}` } });
  }
}

async function showByWorker(title: string, options: NotificationOptions): Promise<void> {
  const registration = await navigator.serviceWorker.getRegistration();
  await registration?.showNotification(title, options);
}

async function withdraw(roomId: string, upTo: number): Promise<void> {
  const list = shown.get(roomId) ?? [];
  for (const { seq, alert } of list) if (seq <= upTo) alert.close();
  shown.set(
    roomId,
    list.filter(({ seq }) => seq > upTo),
  );
  if (!("serviceWorker" in navigator)) return;
  const registration = await navigator.serviceWorker.getRegistration();
  for (const alert of (await registration?.getNotifications()) ?? []) {
    const [room, seq] = alert.tag.split(".");
    if (room === roomId && Number(seq) <= upTo) alert.close();
  }
}

export function useAlerts(client: Client, go: (path: string) => void): void {
  useEffect(() => {
    if (!("serviceWorker" in navigator)) return;
    const open = ({ data }: MessageEvent<unknown>) => {
      if (typeof data === "object" && data !== null && "open" in data && typeof data.open === "string")
        go(data.open);
    };
    navigator.serviceWorker.addEventListener("message", open);
    return () => navigator.serviceWorker.removeEventListener("message", open);
  }, [go]);
  useEffect(
    () =>
      client.alerts.subscribe((change) => {
        if (change.kind === "withdraw") void withdraw(change.roomId, change.upTo);
        else if (alertSetting() === "on") void show(client, change, go);
      }),
    [client, go],
  );
}
