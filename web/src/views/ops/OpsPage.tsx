import "./ops.css";

import { useEffect } from "react";
import { Link } from "wouter";

import { paths } from "../../app/paths.ts";
import { useSecondsSince } from "../../app/time.ts";
import { useLanguage, useTexts } from "../../i18n/index.ts";
import { EmptyState } from "../../ui/EmptyState.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { RowSkeletons } from "../../ui/Skeleton.tsx";
import { CanaryCard } from "./CanaryCard.tsx";
import { ServiceCard, type ServiceName } from "./ServiceCard.tsx";
import { serviceOf, type History } from "./series.ts";
import { opsTexts, type OpsTexts } from "./texts.ts";
import { useFigures } from "./figures.ts";

const SERVICES: ServiceName[] = ["chat-gateway", "rooms", "auth", "social", "media"];
const STALE_SECONDS = 6;

/** Live figures of all services, for operators. */
export default function OpsPage() {
  const texts = opsTexts[useLanguage()];
  const { loading, back, appName } = useTexts();
  const { history, error } = useFigures();
  useEffect(() => {
    document.title = `${texts.title} · ${appName}`;
  }, [texts, appName]);
  if (error?.code === "not_found") return <NotFound texts={texts} />;
  return (
    <main className="ops page">
      <header className="page-head">
        <Link href={paths.rooms} className="icon-button" aria-label={back}>
          <Icon name="back" />
        </Link>
        <h1>{texts.title}</h1>
        <Freshness history={history} texts={texts} />
      </header>
      <div className="ops-body scroll" role="region" aria-label={texts.title} tabIndex={0}>
        {history.length === 0 ? (
          <RowSkeletons label={loading} rows={6} />
        ) : (
          <div className="ops-grid">
            <CanaryCard history={history} texts={texts} />
            {SERVICES.map((name) => {
              const last = history.at(-1);
              const service = last && serviceOf(last, name);
              return service && <ServiceCard key={name} {...{ name, service, history, texts }} />;
            })}
          </div>
        )}
      </div>
    </main>
  );
}

function Freshness({ history, texts }: { history: History; texts: OpsTexts }) {
  const age = useSecondsSince((history.at(-1)?.at ?? 0) * 1000);
  const stale = history.length > 0 && age > STALE_SECONDS;
  return (
    <p className="ops-live" data-stale={stale} role="status">
      {stale ? texts.stale(age) : texts.live}
    </p>
  );
}

function NotFound({ texts }: { texts: OpsTexts }) {
  return (
    <main className="page ops">
      <div className="page-body centre">
        <EmptyState drawing="lost" title={texts.notFoundTitle} text={texts.notFoundText} level={1}>
          <Link href={paths.rooms} className="button">
            {texts.home}
          </Link>
        </EmptyState>
      </div>
    </main>
  );
}
