import { useLanguage, useTexts, type Texts } from "../../i18n/index.ts";
import { IconButton } from "../../ui/Button.tsx";
import { FILE_LIMIT, FILES_AT_ONCE, kindOf } from "../logic/files.ts";
import { sizeOf } from "../logic/format.ts";
import { problemText } from "../logic/problems.ts";
import type { Problem } from "../../core/index.ts";
import { useUpload, type Tray, type TrayItem } from "./tray.ts";

export function TrayList({ tray }: { tray: Tray }) {
  if (tray.items.length === 0) return null;
  return (
    <ul className="trays">
      {tray.items.map((item) => (
        <Waiting key={item.id} item={item} onRemove={() => tray.remove(item.id)} />
      ))}
    </ul>
  );
}

function Waiting({ item, onRemove }: { item: TrayItem; onRemove: () => void }) {
  const texts = useTexts();
  const language = useLanguage();
  const { status, progress, problem } = useUpload(item.upload);
  const { name, size } = item.file;
  const refused = item.refusal !== null || status === "failed";
  return (
    <li className={refused ? "tray refused" : "tray"}>
      {item.picture === null ? (
        <span className="file-kind" aria-hidden="true">
          {kindOf(name)}
        </span>
      ) : (
        <img src={item.picture} alt="" />
      )}
      <div className="tray-text">
        <div className="ellipsis">{name}</div>
        <div className="tray-note" aria-live="polite">
          {refused ? why(item, problem, texts, sizeOf(FILE_LIMIT, language)) : sizeOf(size, language)}
        </div>
        {!refused && status === "uploading" && (
          <progress max={1} value={progress} aria-label={texts.composer.uploading(name)} />
        )}
      </div>
      {status === "failed" && item.upload && !isFinal(problem) && (
        <IconButton icon="retry" label={texts.composer.retryFile(name)} onClick={item.upload.retry} />
      )}
      <IconButton icon="close" label={texts.composer.removeFile(name)} onClick={onRemove} />
    </li>
  );
}

/** The same file would be refused again. */
const isFinal = (problem: Problem | null) =>
  problem?.code === "too_large" || problem?.code === "invalid" || problem?.code === "unsupported_type";

function why({ refusal }: TrayItem, problem: Problem | null, texts: Texts, limit: string): string {
  const { composer } = texts;
  switch (refusal) {
    case "too_big":
      return composer.tooBig(limit);
    case "too_many":
      return composer.tooMany(FILES_AT_ONCE);
    case "empty":
      return composer.emptyFile;
    case "unreadable":
      return composer.asJpeg;
    case null:
      if (problem?.code === "too_large") return composer.tooBig(limit);
      if (isFinal(problem)) return composer.notAllowed;
      return problem === null || problem.code === "failed"
        ? composer.uploadFailed
        : problemText(problem, texts);
  }
}
