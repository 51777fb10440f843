import { useState } from "react";

import { closeDialog } from "../../app/overlay.ts";
import { useTexts } from "../../i18n/index.ts";
import { Field } from "../../ui/Field.tsx";
import { dayKey, startOfDay } from "../../format/locale.ts";
import { DialogFrame } from "./DialogFrame.tsx";

export function DateDialog({ onPick }: { onPick: (at: Date) => void }) {
  const { room } = useTexts();
  const [today] = useState(() => dayKey(new Date()));
  const [day, setDay] = useState(today);
  const at = startOfDay(day);
  return (
    <DialogFrame title={room.toDate}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (!at) return;
          closeDialog();
          onPick(at);
        }}
      >
        <Field
          label={room.toDate}
          type="date"
          value={day}
          max={today}
          note={room.toDateText}
          onChange={(event) => setDay(event.target.value)}
          autoFocus
        />
        <button type="submit" className="button primary wide" disabled={!at}>
          {room.go}
        </button>
      </form>
    </DialogFrame>
  );
}
