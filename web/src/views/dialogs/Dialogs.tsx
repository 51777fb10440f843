import { lazy } from "react";

import type { DialogRequest } from "../../app/overlay.ts";
import { ConfirmDialog, LeaveDialog } from "./ConfirmDialog.tsx";
import { DateDialog } from "./DateDialog.tsx";
import { InviteDialog, NewChatDialog } from "./FriendPicker.tsx";
import { ProfileDialog } from "./ProfileDialog.tsx";
import { ReadersDialog } from "./ReadersDialog.tsx";
import { RenameDialog } from "./RenameDialog.tsx";
import { Switcher } from "./Switcher.tsx";

const ImageViewer = lazy(() => import("./ImageViewer.tsx"));
const FilesDialog = lazy(() => import("./FilesDialog.tsx"));
const ShortcutsDialog = lazy(() => import("./ShortcutsDialog.tsx"));

export default function Dialogs({ request }: { request: DialogRequest }) {
  switch (request.kind) {
    case "profile":
      return <ProfileDialog userId={request.userId} />;
    case "new-chat":
      return <NewChatDialog />;
    case "invite":
      return <InviteDialog roomId={request.roomId} />;
    case "rename":
      return <RenameDialog roomId={request.roomId} />;
    case "readers":
      return <ReadersDialog roomId={request.roomId} seq={request.seq} />;
    case "date":
      return <DateDialog onPick={request.onPick} />;
    case "files":
      return <FilesDialog roomId={request.roomId} />;
    case "viewer":
      return <ImageViewer images={request.images} index={request.index} />;
    case "leave":
      return <LeaveDialog {...request} />;
    case "switcher":
      return <Switcher typed={request.query} />;
    case "shortcuts":
      return <ShortcutsDialog />;
    case "confirm":
      return <ConfirmDialog {...request} />;
  }
}
