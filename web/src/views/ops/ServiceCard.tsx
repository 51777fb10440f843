/** One service: its replicas, its main figures, and the errors that it answered. */
import type { ServiceFigures } from "../../core/index.ts";
import { Tile, moving, spread, useWords, type Figure, type Words } from "./Tile.tsx";
import { codesOf, level, mean, now, rate, risen, type History } from "./series.ts";
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
  const words = useWords();
  const figures = figuresOf(name, history, texts, words);
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
      <Codes codes={codesOf(history, name)} texts={texts} words={words} />
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

function Codes({ codes, texts, words }: { codes: [string, number][]; texts: OpsTexts; words: Words }) {
  if (codes.length === 0) return <p className="ops-codes">{texts.noErrors}</p>;
  return (
    <div className="ops-codes">
      <span>{texts.errors}</span>
      <ul>
        {codes.map(([code, count]) => (
          <li key={code} data-alarming={code === "unavailable" || code === "internal"}>
            {code} <strong>{words.count(count)}</strong>
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
  words: Words,
): Figure[] {
  const counted = (label: string, key: string, alarm = false): Figure => {
    const count = risen(history, name, key);
    return { label, text: words.count(count), note: in5, alarm: alarm && count > 0 ? "waits" : undefined };
  };
  const redis: Figure = { label: tiles.redis, ...spread(history, name, "redis", words) };
  const shed = counted(tiles.shed, "shed", true);
  if (name === "chat-gateway")
    return [
      { label: tiles.sockets, ...moving(history, level(name, "sockets"), words.count) },
      { label: tiles.users, ...moving(history, level(name, "users"), words.count) },
      { label: tiles.delivered, ...moving(history, rate(name, "delivered"), words.perSecond) },
      { label: tiles.fanout, ...spread(history, name, "fanout_lag", words) },
      { label: tiles.laneDepth, ...moving(history, level(name, "lane_depth"), words.count) },
      { label: tiles.laneBatch, ...moving(history, mean(name, "lane_batch"), words.count) },
      redis,
      counted(tiles.resumed, "resumed"),
      counted(tiles.resets, "resets"),
      counted(tiles.slow, "slow_readers", true),
      shed,
    ];
  const database: Figure[] = [
    {
      label: tiles.pool,
      ...moving(history, level(name, "db_in_use"), words.count),
      text: of(
        words.count(now(history, level(name, "db_in_use"))),
        words.count(now(history, level(name, "db_pool"))),
      ),
    },
    { label: tiles.dbWait, ...spread(history, name, "db_wait", words) },
    redis,
  ];
  const requests: Figure[] = [
    { label: tiles.requests, ...moving(history, rate(name, "requests"), words.perSecond) },
    { label: tiles.duration, ...spread(history, name, "duration", words) },
  ];
  if (name !== "rooms") return [...requests, ...database];
  return [
    ...requests,
    { label: tiles.published, ...moving(history, rate(name, "published"), words.perSecond) },
    { label: tiles.batch, ...moving(history, mean(name, "batch"), words.count) },
    { label: tiles.unpublished, ...moving(history, level(name, "publish_waiting"), words.count) },
    ...database,
    shed,
  ];
}
