/** The card of one service: its replicas, main figures and error counts. */
import type { ServiceFigures } from "../../core/index.ts";
import { Tile, seriesFigure, quantileFigure, useFormatters, type Figure, type Formatters } from "./Tile.tsx";
import { codesOf, level, mean, latest, rate, increaseOf, type History } from "./series.ts";
import type { OpsTexts } from "./texts.ts";

export type ServiceName = keyof OpsTexts["services"];

export function ServiceCard({
  name,
  service,
  history,
  texts,
}: {
  name: ServiceName;
  service: ServiceFigures;
  history: History;
  texts: OpsTexts;
}) {
  const formatters = useFormatters();
  const figures = figuresOf(name, history, texts, formatters);
  return (
    <section className="ops-card" aria-labelledby={`ops-${name}`}>
      <header>
        <h2 id={`ops-${name}`}>{texts.services[name]}</h2>
        <Replicas service={service} texts={texts} />
      </header>
      <dl className="ops-tiles">
        {figures.map((figure) => (
          <Tile key={figure.label} {...figure} />
        ))}
      </dl>
      <Codes codes={codesOf(history, name)} texts={texts} formatters={formatters} />
    </section>
  );
}

function Replicas({ service: { replicas }, texts }: { service: ServiceFigures; texts: OpsTexts }) {
  const up = replicas.filter((replica) => replica.up);
  const troubles = [
    ...replicas.filter((replica) => !replica.up).map(({ address }) => texts.down(address)),
    ...up
      .filter(({ missing }) => missing.length > 0)
      .map(({ address, missing }) => texts.missing(address, missing.join(", "))),
  ];
  return (
    <div className="ops-replicas">
      <p data-alarming={up.length < replicas.length || replicas.length === 0}>
        {replicas.map(({ address, up, missing }) => (
          <span
            key={address}
            className="ops-dot"
            data-state={up ? (missing.length > 0 ? "waits" : "up") : "down"}
            aria-hidden="true"
          />
        ))}
        {texts.up(up.length, replicas.length)}
      </p>
      {troubles.map((trouble) => (
        <p key={trouble} className="ops-trouble">
          {trouble}
        </p>
      ))}
    </div>
  );
}

function Codes({
  codes,
  texts,
  formatters,
}: {
  codes: [string, number][];
  texts: OpsTexts;
  formatters: Formatters;
}) {
  if (codes.length === 0) return <p className="ops-codes">{texts.noErrors}</p>;
  return (
    <div className="ops-codes">
      <span>{texts.errors}</span>
      <ul>
        {codes.map(([code, count]) => (
          <li key={code} data-alarming={code === "unavailable" || code === "internal"}>
            {code} <strong>{formatters.count(count)}</strong>
          </li>
        ))}
      </ul>
    </div>
  );
}

function figuresOf(
  name: ServiceName,
  history: History,
  { tiles, in5, of }: OpsTexts,
  formatters: Formatters,
): Figure[] {
  const counted = (label: string, key: string, alarm = false): Figure => {
    const count = increaseOf(history, name, key);
    return {
      label,
      text: formatters.count(count),
      note: in5,
      alarm: alarm && count > 0 ? "waits" : undefined,
    };
  };
  const redis: Figure = { label: tiles.redis, ...quantileFigure(history, name, "redis", formatters) };
  const shed = counted(tiles.shed, "shed", true);
  if (name === "chat-gateway")
    return [
      { label: tiles.sockets, ...seriesFigure(history, level(name, "sockets"), formatters.count) },
      { label: tiles.users, ...seriesFigure(history, level(name, "users"), formatters.count) },
      { label: tiles.delivered, ...seriesFigure(history, rate(name, "delivered"), formatters.perSecond) },
      { label: tiles.fanout, ...quantileFigure(history, name, "fanout_lag", formatters) },
      { label: tiles.queueDepth, ...seriesFigure(history, level(name, "lane_depth"), formatters.count) },
      { label: tiles.commandBatch, ...seriesFigure(history, mean(name, "lane_batch"), formatters.count) },
      redis,
      counted(tiles.resumed, "resumed"),
      counted(tiles.resets, "resets"),
      counted(tiles.slow, "slow_readers", true),
      shed,
    ];
  const database: Figure[] = [
    {
      label: tiles.pool,
      ...seriesFigure(history, level(name, "db_in_use"), formatters.count),
      text: of(
        formatters.count(latest(history, level(name, "db_in_use"))),
        formatters.count(latest(history, level(name, "db_pool"))),
      ),
    },
    { label: tiles.dbWait, ...quantileFigure(history, name, "db_wait", formatters) },
    redis,
  ];
  const requests: Figure[] = [
    { label: tiles.requests, ...seriesFigure(history, rate(name, "requests"), formatters.perSecond) },
    { label: tiles.duration, ...quantileFigure(history, name, "duration", formatters) },
  ];
  if (name !== "rooms") return [...requests, ...database];
  return [
    ...requests,
    { label: tiles.published, ...seriesFigure(history, rate(name, "published"), formatters.perSecond) },
    { label: tiles.batch, ...seriesFigure(history, mean(name, "batch"), formatters.count) },
    { label: tiles.unpublished, ...seriesFigure(history, level(name, "publish_waiting"), formatters.count) },
    ...database,
    shed,
  ];
}
