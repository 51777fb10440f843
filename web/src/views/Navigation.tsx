import { Link } from "wouter";

import { useClientState, useMe, useProfile } from "../app/client.ts";
import { openDialog } from "../app/overlay.ts";
import { paths, type Route } from "../app/paths.ts";
import { useTexts } from "../i18n/index.ts";
import { Avatar } from "../ui/Avatar.tsx";
import { Badge } from "../ui/Badge.tsx";
import { Icon, type IconName } from "../ui/Icon.tsx";

type Area = Route["area"];

const areas: { area: Area; icon: IconName; path: string }[] = [
  { area: "friends", icon: "friends", path: paths.friends },
  { area: "rooms", icon: "chat", path: paths.rooms },
  { area: "search", icon: "search", path: paths.search() },
  { area: "settings", icon: "settings", path: paths.settings },
];

export function Rail({ area }: { area: Area }) {
  const texts = useTexts();
  const me = useMe();
  const profile = useProfile(me.user_id);
  return (
    <nav className="rail" aria-label={texts.nav.label}>
      <button
        type="button"
        className="rail-me"
        aria-label={texts.nav.myProfile}
        title={texts.nav.myProfile}
        onClick={() => openDialog({ kind: "profile", userId: me.user_id })}
      >
        <Avatar
          id={me.user_id}
          name={profile?.display_name ?? me.display_name}
          picture={profile?.avatar_url}
        />
      </button>
      {areas.map((one) => (
        <Link
          key={one.area}
          href={one.path}
          className="rail-link"
          title={texts.nav[one.area]}
          aria-current={one.area === area ? "true" : undefined}
        >
          <Icon name={one.icon} />
          <span className="sr-only">{texts.nav[one.area]}</span>
          {one.area === "rooms" && <TotalBadge />}
        </Link>
      ))}
    </nav>
  );
}

export function TabBar({ area }: { area: Area }) {
  const texts = useTexts();
  return (
    <nav className="tab-bar" aria-label={texts.nav.label}>
      {areas.map((one) => (
        <Link
          key={one.area}
          href={one.path}
          className="tab"
          aria-current={one.area === area ? "true" : undefined}
        >
          <span className="tab-icon">
            <Icon name={one.icon} />
            {one.area === "rooms" && <TotalBadge />}
          </span>
          {texts.nav[one.area]}
        </Link>
      ))}
    </nav>
  );
}

function TotalBadge() {
  const unread = useClientState((state) => state.totalUnread);
  const { nav } = useTexts();
  return <Badge count={unread} label={nav.unread(unread)} />;
}
