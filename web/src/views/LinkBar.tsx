import { useActions, useClientState } from "../app/client.ts";
import { usePassed, useSecondsUntil } from "../app/time.ts";
import type { Link } from "../core/index.ts";
import { useTexts, type Texts } from "../i18n/index.ts";

const PATIENCE_MS = 2000;

/** A thin bar for what keeps messages from going out, once it lasts; being offline looks different from coming back. */
export function LinkBar() {
  const link = useClientState((state) => state.link);
  const lasts = usePassed(link.since + PATIENCE_MS);
  if (link.status === "online" || !lasts) return null;
  return <Bar link={link} />;
}

function Bar({ link }: { link: Link }) {
  const texts = useTexts();
  const { reconnect } = useActions();
  const wait = useSecondsUntil(link.retryAt ?? 0);
  return (
    <div className={link.status === "offline" ? "link-bar" : "link-bar again"}>
      <span role="status">{words(link, texts)}</span>
      {wait > 1 && <span className="tabular">{texts.link.retryIn(wait)}</span>}
      {link.stopped === "outdated" ? (
        <button type="button" className="text-button" onClick={() => location.reload()}>
          {texts.errors.reload}
        </button>
      ) : (
        link.status !== "connecting" && (
          <button type="button" className="text-button" onClick={reconnect}>
            {texts.retry}
          </button>
        )
      )}
    </div>
  );
}

function words({ status, stopped }: Link, { link }: Texts): string {
  if (stopped) return link[stopped];
  return status === "online" ? "" : link[status];
}
