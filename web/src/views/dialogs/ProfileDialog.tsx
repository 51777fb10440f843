import { Dialog } from "@ariakit/react";

import { useProfile } from "../../app/client.ts";
import { closeDialog } from "../../app/overlay.ts";
import { useTexts } from "../../i18n/index.ts";
import { IconButton } from "../../ui/Button.tsx";
import { ProfileCard } from "../friends/ProfileCard.tsx";
import { nameOf } from "../../format/text.ts";

export function ProfileDialog({ userId }: { userId: string }) {
  const texts = useTexts();
  const profile = useProfile(userId);
  return (
    <Dialog
      open
      onClose={closeDialog}
      className="dialog profile-dialog"
      aria-label={nameOf(profile, texts)}
      backdrop={<div className="backdrop" />}
      autoFocusOnHide={false}
    >
      <IconButton icon="close" label={texts.close} className="profile-close" onClick={closeDialog} />
      <ProfileCard userId={userId} onDone={closeDialog} />
    </Dialog>
  );
}
