import { useState } from "react";
import { useLocation } from "wouter";

import { useActions } from "../../app/client.ts";
import { showFailure } from "../../app/notices.ts";
import { closeDialog, type DialogRequest } from "../../app/overlay.ts";
import { paths } from "../../app/paths.ts";
import { useTexts } from "../../i18n/index.ts";
import { DialogFrame } from "./DialogFrame.tsx";

type Asked = Omit<Extract<DialogRequest, { kind: "confirm" }>, "kind">;

export function ConfirmDialog({ title, text, action, danger = false, run }: Asked) {
  const texts = useTexts();
  const [busy, setBusy] = useState(false);
  const act = async () => {
    setBusy(true);
    await run();
    closeDialog();
  };
  return (
    <DialogFrame
      title={title}
      foot={
        <>
          <button type="button" className="button quiet" onClick={closeDialog}>
            {texts.cancel}
          </button>
          <button
            type="button"
            className={danger ? "button danger" : "button primary"}
            disabled={busy}
            onClick={() => void act()}
          >
            {action}
          </button>
        </>
      }
    >
      <p className="dialog-text">{text}</p>
    </DialogFrame>
  );
}

export function LeaveDialog({ roomId, title, text }: { roomId: string; title: string; text: string }) {
  const { details } = useTexts();
  const { leave } = useActions();
  const [, go] = useLocation();
  const run = async () => {
    if (await showFailure(leave(roomId))) go(paths.rooms);
  };
  return <ConfirmDialog title={title} text={text} action={details.leave} danger run={run} />;
}
