import { lazy, Suspense } from "react";

import { dismissToast, useOverlay } from "../app/overlay.ts";
import { useTexts } from "../i18n/index.ts";

const Dialogs = lazy(() => import("./dialogs/Dialogs.tsx"));
const Popups = lazy(() => import("./dialogs/Popups.tsx"));

export function Overlays() {
  const dialog = useOverlay((state) => state.dialog);
  const popup = useOverlay((state) => state.popup);
  return (
    <>
      <Suspense>
        {dialog && <Dialogs request={dialog} />}
        {popup && <Popups request={popup} />}
      </Suspense>
      <Toasts />
    </>
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
