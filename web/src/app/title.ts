/** The number of unread messages in the tab's title and on the installed icon. */
import { useEffect } from "react";

import { badgeText } from "../format/locale.ts";

interface BadgeNavigator {
  setAppBadge?: (count: number) => Promise<void>;
  clearAppBadge?: () => Promise<void>;
}

async function setBadge(count: number): Promise<void> {
  const badge = navigator as BadgeNavigator;
  try {
    await (count > 0 ? badge.setAppBadge?.(count) : badge.clearAppBadge?.());
  } catch {
    // Not installed, or not allowed: the title says it as well.
  }
}

export function useTitle(title: string | null, unread: number): void {
  useEffect(() => {
    const page = title === null ? "WebChat" : `${title} – WebChat`;
    document.title = unread > 0 ? `(${badgeText(unread)}) ${page}` : page;
  }, [title, unread]);
  useEffect(() => {
    void setBadge(unread);
  }, [unread]);
}
