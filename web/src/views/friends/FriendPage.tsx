import { Link } from "wouter";

import { paths } from "../../app/paths.ts";
import { useTexts } from "../../i18n/index.ts";
import { Icon } from "../../ui/Icon.tsx";
import { ProfileCard } from "./ProfileCard.tsx";

export default function FriendPage({ userId }: { userId: string }) {
  const texts = useTexts();
  return (
    <div className="page">
      <header className="page-head">
        <Link href={paths.friends} className="icon-button back" aria-label={texts.back}>
          <Icon name="back" />
        </Link>
        <h1>{texts.profile.title}</h1>
      </header>
      <div className="page-body scroll centre">
        <ProfileCard userId={userId} />
      </div>
    </div>
  );
}
