import { useActions, useClientState } from "../app/client.ts";
import { usePassed } from "../app/time.ts";
import { useTexts } from "../i18n/index.ts";

const PATIENCE_MS = 2000;

/** A thin bar for what keeps messages from going out, once it lasts; being offline looks different from coming back. */
export function LinkBar() {
  const link = useClientState((state) => state.link);
  const lasts = usePassed(link.since + PATIENCE_MS);
  const texts = useTexts();
  const { reconnect } = useActions();
  if (link.status === "online" || !lasts) return null;
  return (
    <div className={link.status === "offline" ? "link-bar" : "link-bar again"} role="status">
      <span>{texts.link[link.status]}</span>
      {link.status !== "connecting" && (
        <button type="button" className="text-button" onClick={reconnect}>
          {texts.retry}
        </button>
      )}
    </div>
  );
}
