import { memo } from "react";

import { openDialog } from "../../app/overlay.ts";
import type { Attachment } from "../../core/index.ts";
import { useLanguage, useTexts } from "../../i18n/index.ts";
import { sizeOf } from "../../format/locale.ts";
import { useTabIndex } from "./message-actions.ts";
import { isPicture, extensionOf, reservedSize } from "./files.ts";

export const AttachmentList = memo(function AttachmentList({
  files,
  flash,
}: {
  files: readonly Attachment[];
  flash: boolean;
}) {
  const pictures = files.filter(isPicture);
  const others = files.filter((file) => !isPicture(file));
  return (
    <div className={flash ? "attachments flash" : "attachments"}>
      {pictures.length > 0 && (
        <div className={pictures.length === 1 ? "images single" : "images many"}>
          {pictures.map((file, index) => (
            <Picture
              key={file.attachment_id}
              file={file}
              onOpen={() => openDialog({ kind: "viewer", images: pictures, index })}
            />
          ))}
        </div>
      )}
      {others.map((file) => (
        <OtherFile key={file.attachment_id} file={file} />
      ))}
    </div>
  );
});

function Picture({ file, onOpen }: { file: Attachment; onOpen: () => void }) {
  const { message } = useTexts();
  const tabIndex = useTabIndex();
  const { width, ratio } = reservedSize(file.width, file.height);
  const size = { "--w": `${width}px`, "--ratio": ratio } as React.CSSProperties;
  return (
    <button
      type="button"
      className="image"
      tabIndex={tabIndex}
      style={size}
      aria-label={message.openImage(file.filename)}
      onClick={onOpen}
    >
      <img src={file.thumbnail_url ?? file.url} alt="" loading="lazy" decoding="async" draggable={false} />
    </button>
  );
}

function OtherFile({ file }: { file: Attachment }) {
  if (file.content_type.startsWith("video/")) {
    return <video className="player" controls preload="metadata" src={file.url} aria-label={file.filename} />;
  }
  if (file.content_type.startsWith("audio/")) {
    return <audio className="player" controls preload="metadata" src={file.url} aria-label={file.filename} />;
  }
  return (
    <div className="bubble">
      <FileCard file={file} />
    </div>
  );
}

export function FileCard({ file }: { file: Attachment }) {
  const { message } = useTexts();
  const tabIndex = useTabIndex();
  const language = useLanguage();
  return (
    <a
      className="file-card"
      tabIndex={tabIndex}
      href={file.url}
      download={file.filename}
      aria-label={message.download(file.filename)}
    >
      <span className="file-kind" aria-hidden="true">
        {extensionOf(file.filename)}
      </span>
      <span className="file-text">
        <span className="file-name ellipsis">{file.filename}</span>
        <span className="file-size">{sizeOf(file.size, language)}</span>
      </span>
    </a>
  );
}
