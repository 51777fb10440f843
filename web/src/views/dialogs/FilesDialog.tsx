import { useCallback } from "react";

import { useActions } from "../../app/client.ts";
import type { Attachment, Message, Page, Result } from "../../core/index.ts";
import { useTexts } from "../../i18n/index.ts";
import { TextButton } from "../../ui/Button.tsx";
import { EmptyState } from "../../ui/EmptyState.tsx";
import { RowSkeletons } from "../../ui/Skeleton.tsx";
import { isPicture } from "../room/files.ts";
import { PictureGrid } from "../PictureGrid.tsx";
import { FileCard } from "../room/AttachmentList.tsx";
import { usePages } from "../search/pages.ts";
import { LoadError } from "../LoadError.tsx";
import { DialogFrame } from "./DialogFrame.tsx";

/** All files of a room, newest first. Older ones are loaded on request. */
export default function FilesDialog({ roomId }: { roomId: string }) {
  const texts = useTexts();
  const { listFiles } = useActions();
  const load = useCallback(
    async (cursor?: string): Promise<Result<{ page: Page<Message> }>> => {
      const result = await listFiles(roomId, cursor === undefined ? undefined : Number(cursor));
      if (!result.ok) return result;
      const { items, before } = result;
      return { ok: true, page: { items, next: before === null ? null : String(before) } };
    },
    [listFiles, roomId],
  );
  const { items, loadMore, error, retry } = usePages(load);
  const files = (items ?? []).flatMap((message) => message.attachments ?? []);
  return (
    <DialogFrame title={texts.details.files} className="tall" flush>
      {error && <LoadError error={error} onRetry={retry} />}
      {!items && !error && <RowSkeletons label={texts.loading} />}
      {items && files.length === 0 && !loadMore && (
        <EmptyState drawing="lost" title={texts.details.noFiles} />
      )}
      <Files files={files} />
      {loadMore && (
        <div className="list-more">
          <TextButton onClick={loadMore}>{texts.details.filesMore}</TextButton>
        </div>
      )}
    </DialogFrame>
  );
}

function Files({ files }: { files: readonly Attachment[] }) {
  const pictures = files.filter(isPicture);
  return (
    <>
      {pictures.length > 0 && <PictureGrid pictures={pictures} />}
      <ul className="files-list">
        {files
          .filter((file) => !isPicture(file))
          .map((file) => (
            <li key={file.attachment_id}>
              <FileCard file={file} />
            </li>
          ))}
      </ul>
    </>
  );
}
