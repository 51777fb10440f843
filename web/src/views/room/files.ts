/** The checks of files before an upload, and how attachments are shown. */
export const FILE_LIMIT = 50 * 1024 * 1024;
export const FILES_AT_ONCE = 10;

/** HEIC pictures of phones. The server cannot remove the location from them, so it rejects them. */
const UNREADABLE = /^image\/hei[cf]|\.hei[cf]$/i;

export type FileError = "too_big" | "empty" | "too_many" | "unreadable";

export function fileErrorOf(
  { name, type, size }: { name: string; type: string; size: number },
  already: number,
): FileError | null {
  if (already >= FILES_AT_ONCE) return "too_many";
  if (size === 0) return "empty";
  if (UNREADABLE.test(type) || UNREADABLE.test(name)) return "unreadable";
  return size > FILE_LIMIT ? "too_big" : null;
}

export const isImage = (type: string): boolean => type.startsWith("image/");

/** Return whether every browser can show the picture. Others are offered as files. */
export function isPicture(attachment: { content_type: string; thumbnail_url?: string | null }): boolean {
  return /^image\/(png|jpeg|gif|webp|avif)$/.test(attachment.content_type);
}

/** Return the file extension, up to four characters. */
export function extensionOf(filename: string): string {
  const found = /\.([\p{L}\p{N}]{1,4})$/u.exec(filename);
  return found?.[1]?.toUpperCase() ?? "···";
}

/** Return the size to reserve for a picture before it is loaded. */
export function reservedSize(
  width: number | null | undefined,
  height: number | null | undefined,
): {
  width: number;
  ratio: number;
} {
  if (!width || !height) return { width: 300, ratio: 4 / 3 };
  const ratio = Math.min(3, Math.max(0.5, width / height));
  return { width: Math.max(120, Math.min(300, width, 360 * ratio)), ratio };
}
