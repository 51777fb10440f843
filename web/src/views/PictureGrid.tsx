import { openDialog } from "../app/overlay.ts";
import type { Attachment } from "../core/index.ts";
import { useTexts } from "../i18n/index.ts";

/** A grid of pictures. Each one opens the viewer with all of them. */
export function PictureGrid({ pictures }: { pictures: readonly Attachment[] }) {
  const { message } = useTexts();
  return (
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
  );
}
