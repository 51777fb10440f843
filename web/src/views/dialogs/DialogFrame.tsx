import { Dialog, DialogHeading } from "@ariakit/react";

import { closeDialog } from "../../app/overlay.ts";
import { useTexts } from "../../i18n/index.ts";
import { IconButton } from "../../ui/Button.tsx";

/** A dialog with a title, a close button and an optional row of buttons. */
export function DialogFrame({
  title,
  className = "",
  foot,
  flush = false,
  children,
}: {
  title: string;
  className?: string;
  foot?: React.ReactNode;
  flush?: boolean;
  children: React.ReactNode;
}) {
  const texts = useTexts();
  return (
    <Dialog
      open
      onClose={closeDialog}
      className={`dialog ${className}`}
      backdrop={<div className="backdrop" />}
      autoFocusOnHide={false}
    >
      <div className="dialog-head">
        <DialogHeading className="ellipsis">{title}</DialogHeading>
        <IconButton icon="close" label={texts.close} onClick={closeDialog} />
      </div>
      <div className={flush ? "dialog-body flush scroll" : "dialog-body scroll"}>{children}</div>
      {foot !== undefined && <div className="dialog-foot">{foot}</div>}
    </Dialog>
  );
}
