import { useLanguage, useTexts, type Texts } from "../../i18n/index.ts";
import { IconButton } from "../../ui/Button.tsx";
import { FILE_LIMIT, FILES_AT_ONCE, extensionOf } from "./files.ts";
import { sizeOf } from "../../format/locale.ts";
import { errorText } from "../../format/errors.ts";
import type { DomainError } from "../../core/index.ts";
import { useUpload, type AttachmentTray, type AttachmentTrayItem } from "./attachment-tray.ts";

export function TrayView({ tray }: { tray: AttachmentTray }) {
  if (tray.items.length === 0) return null;
  return (
    <ul className="trays">
      {tray.items.map((item) => (
        <TrayRow key={item.id} item={item} onRemove={() => tray.remove(item.id)} />
      ))}
    </ul>
  );
}

function TrayRow({ item, onRemove }: { item: AttachmentTrayItem; onRemove: () => void }) {
  const texts = useTexts();
  const language = useLanguage();
  const { status, progress, error } = useUpload(item.upload);
  const { name, size } = item.file;
  const failed = item.error !== null || status === "failed";
  return (
    <li className={failed ? "tray refused" : "tray"}>
      {item.picture === null ? (
        <span className="file-kind" aria-hidden="true">
          {extensionOf(name)}
        </span>
      ) : (
        <img src={item.picture} alt="" />
      )}
      <div className="tray-text">
        <div className="ellipsis">{name}</div>
        <div className="tray-note" aria-live="polite">
          {failed ? why(item, error, texts, sizeOf(FILE_LIMIT, language)) : sizeOf(size, language)}
        </div>
        {!failed && status === "uploading" && (
          <progress max={1} value={progress} aria-label={texts.composer.uploading(name)} />
        )}
      </div>
      {status === "failed" && item.upload && !isFinal(error) && (
        <IconButton icon="retry" label={texts.composer.retryFile(name)} onClick={item.upload.retry} />
      )}
      <IconButton icon="close" label={texts.composer.removeFile(name)} onClick={onRemove} />
    </li>
  );
}

/** Return whether a retry with the same file would fail again. */
const isFinal = (error: DomainError | null) =>
  error?.code === "too_large" || error?.code === "invalid" || error?.code === "unsupported_type";

function why(
  { error: fileError }: AttachmentTrayItem,
  error: DomainError | null,
  texts: Texts,
  limit: string,
): string {
  const { composer } = texts;
  switch (fileError) {
    case "too_big":
      return composer.tooBig(limit);
    case "too_many":
      return composer.tooMany(FILES_AT_ONCE);
    case "empty":
      return composer.emptyFile;
    case "unreadable":
      return composer.asJpeg;
    case null:
      if (error?.code === "too_large") return composer.tooBig(limit);
      if (isFinal(error)) return composer.notAllowed;
      return error === null || error.code === "failed" ? composer.uploadFailed : errorText(error, texts);
  }
}
