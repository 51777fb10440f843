import { lazy } from "react";

import type { DialogRequest } from "../../app/overlay.ts";
import { Confirm, Leave } from "./Confirm.tsx";
import { DateDialog } from "./DateDialog.tsx";
import { Invite, NewChat } from "./PickFriends.tsx";
import { ProfileDialog } from "./ProfileDialog.tsx";
import { Readers } from "./Readers.tsx";
import { Rename } from "./Rename.tsx";
import { Switcher } from "./Switcher.tsx";

const Viewer = lazy(() => import("./Viewer.tsx"));
const FilesDialog = lazy(() => import("./FilesDialog.tsx"));
const Shortcuts = lazy(() => import("./Shortcuts.tsx"));

export default function Dialogs({ request }: { request: DialogRequest }) {
  switch (request.kind) {
    case "profile":
      return <ProfileDialog userId={request.userId} />;
    case "new-chat":
      return <NewChat />;
    case "invite":
      return <Invite roomId={request.roomId} />;
    case "rename":
      return <Rename roomId={request.roomId} />;
    case "readers":
      return <Readers roomId={request.roomId} seq={request.seq} />;
    case "date":
      return <DateDialog onPick={request.onPick} />;
    case "files":
      return <FilesDialog roomId={request.roomId} />;
    case "viewer":
      return <Viewer images={request.images} index={request.index} />;
    case "leave":
      return <Leave {...request} />;
    case "switcher":
      return <Switcher typed={request.query} />;
    case "shortcuts":
      return <Shortcuts />;
    case "confirm":
      return <Confirm {...request} />;
  }
}
