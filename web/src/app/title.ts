/** The title of the tab, and the unread count in it and on the installed app's icon. */
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
    // The app is not installed, or badges are not allowed. The title shows the count as well.
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
