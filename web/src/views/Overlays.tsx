import { lazy, Suspense } from "react";

import { closeDialog, dismissToast, openDialog, useOverlay } from "../app/overlay.ts";
import { useTexts } from "../i18n/index.ts";

const Dialogs = lazy(() => import("./dialogs/Dialogs.tsx"));
const Popups = lazy(() => import("./dialogs/Popups.tsx"));

export function Overlays() {
  const dialog = useOverlay((state) => state.dialog);
  const popup = useOverlay((state) => state.popup);
  return (
    <>
      <Suspense fallback={dialog?.kind === "switcher" && <SwitcherFallback />}>
        {dialog && <Dialogs request={dialog} />}
      </Suspense>
      <Suspense>{popup && <Popups request={popup} />}</Suspense>
      <Toasts />
    </>
  );
}

/** Collects what is typed while the switcher's code is loading. Otherwise it would go into the composer. */
function SwitcherFallback() {
  const { switcher } = useTexts();
  return (
    <input
      className="sr-only"
      aria-label={switcher.label}
      autoComplete="off"
      autoFocus
      onChange={(event) => openDialog({ kind: "switcher", query: event.target.value })}
      onKeyDown={(event) => {
        if (event.key === "Escape") closeDialog();
      }}
    />
  );
}

function Toasts() {
  const toasts = useOverlay((state) => state.toasts);
  const texts = useTexts();
  return (
    <div className="toasts" role="status" aria-live="polite">
      {toasts.map(({ id, text, action }) => (
        <div className="toast" key={id}>
          <span>{text}</span>
          <button
            type="button"
            onClick={() => {
              action?.run();
              dismissToast(id);
            }}
          >
            {action?.label ?? texts.close}
          </button>
        </div>
      ))}
    </div>
  );
}
