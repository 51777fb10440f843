/** The files that will be attached to the message: rejected, uploading, uploaded or failed. */
import { useCallback, useEffect, useMemo, useState, useSyncExternalStore } from "react";

import { useActions } from "../../app/client.ts";
import type { Attachment, Upload } from "../../core/index.ts";
import { isImage, fileErrorOf, type FileError } from "./files.ts";

export interface AttachmentTrayItem {
  id: string;
  file: File;
  picture: string | null;
  upload: Upload | null;
  error: FileError | null;
}

export interface AttachmentTray {
  items: readonly AttachmentTrayItem[];
  add: (files: readonly File[]) => void;
  remove: (id: string) => void;
  /** Remove and return the uploaded files, or return null while an upload is running. */
  take: () => readonly Attachment[] | null;
}

let lastId = 0;

function revokePicture(item: AttachmentTrayItem): void {
  if (item.picture !== null) URL.revokeObjectURL(item.picture);
}

export function useAttachmentTray(roomId: string): AttachmentTray {
  const { upload } = useActions();
  const [items, setItems] = useState<readonly AttachmentTrayItem[]>([]);

  const add = useCallback((files: readonly File[]) => {
    setItems((before) => {
      let accepted = before.filter((item) => item.error === null).length;
      const added = files.map((file): AttachmentTrayItem => {
        const error = fileErrorOf(file, accepted);
        if (error === null) accepted += 1;
        const picture = error === null && isImage(file.type) ? URL.createObjectURL(file) : null;
        return { id: `file-${++lastId}`, file, picture, upload: null, error };
      });
      return [...before.filter((item) => item.error === null), ...added];
    });
  }, []);

  // Start uploads outside of the state updater, which React may run twice.
  useEffect(() => {
    const fresh = items.filter((item) => item.upload === null && item.error === null);
    if (fresh.length === 0) return;
    const begun = new Map(fresh.map((item) => [item.id, upload(item.file, roomId)]));
    // eslint-disable-next-line react-hooks/set-state-in-effect
    setItems((now) => now.map((item) => ({ ...item, upload: item.upload ?? begun.get(item.id) ?? null })));
  }, [items, upload, roomId]);

  const remove = useCallback((id: string) => {
    setItems((before) =>
      before.filter((item) => {
        if (item.id !== id) return true;
        item.upload?.cancel();
        revokePicture(item);
        return false;
      }),
    );
  }, []);

  const take = useCallback(() => {
    const sendable = items.filter((item) => item.error === null);
    const attachments = sendable.map((item) => item.upload?.getSnapshot().attachment ?? null);
    if (attachments.some((attachment) => attachment === null)) return null;
    items.forEach(revokePicture);
    setItems([]);
    return attachments.filter((attachment) => attachment !== null);
  }, [items]);

  return useMemo(() => ({ items, add, remove, take }), [items, add, remove, take]);
}

const idle = { status: "uploading", progress: 0, attachment: null, error: null } as const;

export function useUpload(upload: Upload | null) {
  return useSyncExternalStore(
    (listener) => upload?.subscribe(listener) ?? (() => undefined),
    () => upload?.getSnapshot() ?? idle,
  );
}
