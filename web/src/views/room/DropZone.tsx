import { useState } from "react";

import { useTexts } from "../../i18n/index.ts";

const carriesFiles = (event: React.DragEvent) => event.dataTransfer.types.includes("Files");

export function DropZone({
  onFiles,
  covered,
  children,
}: {
  onFiles: (files: readonly File[]) => void;
  /** True if something covers the room, which is then inert. */
  covered: boolean;
  children: React.ReactNode;
}) {
  const [over, setOver] = useState(false);
  const { composer } = useTexts();
  return (
    <div
      className="room"
      inert={covered}
      onDragOver={(event) => {
        if (!carriesFiles(event)) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setOver(false);
      }}
      onDrop={(event) => {
        if (!carriesFiles(event)) return;
        event.preventDefault();
        setOver(false);
        onFiles([...event.dataTransfer.files]);
      }}
    >
      {children}
      {over && <div className="drop-cover">{composer.drop}</div>}
    </div>
  );
}
