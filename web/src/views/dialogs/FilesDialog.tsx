import { useClient, useStore } from "../../app/client.ts";
import { openDialog } from "../../app/overlay.ts";
import { useTexts } from "../../i18n/index.ts";
import { Empty } from "../../ui/Empty.tsx";
import { isPicture } from "../logic/files.ts";
import { FileCard } from "../room/AttachmentList.tsx";
import { Frame } from "./Frame.tsx";

export default function FilesDialog({ roomId }: { roomId: string }) {
  const { details, message } = useTexts();
  const entries = useStore(useClient().room(roomId), (state) => state.entries);
  const files = entries
    .flatMap((entry) =>
      entry.kind === "message" && entry.message.deleted !== true ? (entry.message.attachments ?? []) : [],
    )
    .reverse();
  const pictures = files.filter(isPicture);
  const others = files.filter((file) => !isPicture(file));
  return (
    <Frame title={details.files} className="tall" flush>
      {files.length === 0 && <Empty drawing="lost" title={details.noFiles} />}
      {pictures.length > 0 && (
        <div className="files-grid">
          {pictures.map((file, index) => (
            <button
              key={file.attachment_id}
              type="button"
              aria-label={message.openImage(file.filename)}
              onClick={() => openDialog({ kind: "viewer", images: pictures, index })}
            >
              <img src={file.thumbnail_url ?? file.url} alt="" loading="lazy" />
            </button>
          ))}
        </div>
      )}
      <ul className="files-list">
        {others.map((file) => (
          <li key={file.attachment_id}>
            <FileCard file={file} />
          </li>
        ))}
      </ul>
    </Frame>
  );
}
