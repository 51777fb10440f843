import { useActions, useClientState } from "../app/client.ts";
import { usePassed, useSecondsUntil } from "../app/time.ts";
import type { ConnectionState } from "../core/index.ts";
import { useTexts, type Texts } from "../i18n/index.ts";

const DELAY_MS = 2000;

/** Shows a lost connection once it lasts for a moment. Offline looks different from reconnecting. */
export function ConnectionBar() {
  const connection = useClientState((state) => state.connection);
  const lasts = usePassed(connection.since + DELAY_MS);
  if (connection.status === "online" || !lasts) return null;
  return <Bar connection={connection} />;
}

function Bar({ connection }: { connection: ConnectionState }) {
  const texts = useTexts();
  const { reconnect } = useActions();
  const wait = useSecondsUntil(connection.retryAt ?? 0);
  return (
    <div className={connection.status === "offline" ? "link-bar" : "link-bar again"}>
      <span role="status">{statusText(connection, texts)}</span>
      {wait > 1 && <span className="tabular">{texts.connection.retryIn(wait)}</span>}
      {connection.stopped === "outdated" ? (
        <button type="button" className="text-button" onClick={() => location.reload()}>
          {texts.errors.reload}
        </button>
      ) : (
        connection.status !== "connecting" && (
          <button type="button" className="text-button" onClick={reconnect}>
            {texts.retry}
          </button>
        )
      )}
    </div>
  );
}

function statusText({ status, stopped }: ConnectionState, { connection }: Texts): string {
  if (stopped) return connection[stopped];
  return status === "online" ? "" : connection[status];
}
