import { useState } from "react";

import { useActions } from "../../app/client.ts";
import { showFailure } from "../../app/notices.ts";
import { toast } from "../../app/overlay.ts";
import { useNow } from "../../app/time.ts";
import type { SessionView } from "../../core/index.ts";
import { useLanguage, useTexts, type Texts } from "../../i18n/index.ts";
import { TextButton } from "../../ui/Button.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { RowSkeletons } from "../../ui/Skeleton.tsx";
import { deviceOf } from "./device.ts";
import { relativeTime, exactTime } from "../../format/locale.ts";
import { usePages } from "../search/pages.ts";
import { LoadError } from "../LoadError.tsx";

export function Devices() {
  const texts = useTexts();
  const { listSessions, revokeOthers } = useActions();
  const { items, loadMore, error, retry } = usePages(listSessions);
  const [gone, setGone] = useState<ReadonlySet<string>>(new Set());
  if (error) return <LoadError error={error} onRetry={retry} />;
  if (!items) return <RowSkeletons label={texts.loading} rows={3} />;
  const shown = items
    .filter((one) => !gone.has(one.session_id))
    .sort((a, b) => Number(b.current) - Number(a.current));
  const others = shown.filter((one) => !one.current);
  const endOthers = async () => {
    if (!(await showFailure(revokeOthers()))) return;
    setGone((before) => new Set([...before, ...others.map((one) => one.session_id)]));
    toast(texts.settings.othersRevoked);
    retry();
  };
  return (
    <>
      <p className="card-text">{texts.settings.devicesText}</p>
      <ul className="card list-card">
        {shown.map((session) => (
          <Device
            key={session.session_id}
            session={session}
            onGone={() => setGone((before) => new Set([...before, session.session_id]))}
          />
        ))}
      </ul>
      {loadMore && <TextButton onClick={loadMore}>{texts.more}</TextButton>}
      {others.length > 0 && (
        <div className="card-foot">
          <button type="button" className="button danger" onClick={() => void endOthers()}>
            {texts.settings.revokeOthers}
          </button>
        </div>
      )}
    </>
  );
}

function nameOfDevice(session: SessionView, { settings }: Texts): string {
  const device = deviceOf(session.user_agent);
  return device ? settings.deviceOn(device.browser, device.system) : settings.unknownDevice;
}

function Device({ session, onGone }: { session: SessionView; onGone: () => void }) {
  const texts = useTexts();
  const language = useLanguage();
  const now = useNow();
  const { revokeSession } = useActions();
  const name = nameOfDevice(session, texts);
  const seen = new Date(session.last_seen_at);
  const end = async () => {
    if (!(await showFailure(revokeSession(session.session_id)))) return;
    onGone();
    toast(texts.settings.revoked);
  };
  return (
    <li className="device">
      <span className="device-icon">
        <Icon name={deviceOf(session.user_agent)?.phone === true ? "phone" : "computer"} />
      </span>
      <div>
        <strong>{name}</strong>
        <p>
          {session.address} ·{" "}
          <time dateTime={session.last_seen_at} title={exactTime(seen, language)}>
            {texts.settings.lastSeen(relativeTime(seen, language, texts, now))}
          </time>
        </p>
      </div>
      {session.current ? (
        <span className="here">{texts.settings.thisDevice}</span>
      ) : (
        <TextButton danger aria-label={texts.settings.revokeFor(name)} onClick={() => void end()}>
          {texts.settings.revoke}
        </TextButton>
      )}
    </li>
  );
}
