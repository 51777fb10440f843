import { useState } from "react";
import { Dialog } from "@ariakit/react";

import { closeDialog } from "../../app/overlay.ts";
import type { Attachment } from "../../core/index.ts";
import { useTexts } from "../../i18n/index.ts";
import { IconButton } from "../../ui/Button.tsx";
import { Icon } from "../../ui/Icon.tsx";

export default function ImageViewer({ images, index }: { images: readonly Attachment[]; index: number }) {
  const texts = useTexts();
  const [position, setPlace] = useState(index);
  const image = images[position];
  if (!image) return null;
  const step = (by: number) => setPlace(Math.max(0, Math.min(images.length - 1, position + by)));
  const many = images.length > 1;
  return (
    <Dialog
      open
      onClose={closeDialog}
      className="viewer"
      aria-label={texts.viewer.label}
      autoFocusOnHide={false}
      onKeyDown={(event) => {
        if (event.key === "ArrowLeft") step(-1);
        if (event.key === "ArrowRight") step(1);
      }}
    >
      <div className="viewer-head">
        <span className="ellipsis">{image.filename}</span>
        <a
          className="icon-button"
          href={image.url}
          download={image.filename}
          aria-label={texts.message.download(image.filename)}
          title={texts.message.downloadShort}
        >
          <Icon name="download" />
        </a>
        <IconButton icon="close" label={texts.close} onClick={closeDialog} />
      </div>
      <div className="viewer-stage">
        {many && (
          <IconButton
            icon="back"
            label={texts.viewer.previous}
            disabled={position === 0}
            onClick={() => step(-1)}
          />
        )}
        <img key={image.attachment_id} src={image.url} alt={image.filename} />
        {many && (
          <IconButton
            icon="forward"
            label={texts.viewer.next}
            disabled={position === images.length - 1}
            onClick={() => step(1)}
          />
        )}
      </div>
      <p className="viewer-foot" aria-live="polite">
        {many && texts.viewer.place(position + 1, images.length)}
      </p>
    </Dialog>
  );
}
