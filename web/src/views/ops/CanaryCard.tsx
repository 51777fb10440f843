/** The first row: whether messages arrive. */
import { Tile, moving, spread, useWords, type Figure } from "./Tile.tsx";
import { level, line, moodOf, rate, risen, serviceOf, type History } from "./series.ts";
import type { OpsTexts } from "./texts.ts";

const BROKEN = ["lost", "repeated", "gaps"] as const;
const SLOW = ["late", "unacked"] as const;
type Counted = (typeof BROKEN | typeof SLOW)[number];

/** What is broken stays told; what was slow only while it is in what is kept. */
function alarmOf(key: Counted, total: number, history: History): Figure["alarm"] {
  if (BROKEN.some((one) => one === key)) return total > 0 ? "broken" : undefined;
  return risen(history, "canary", key) > 0 ? "waits" : undefined;
}

export function CanaryCard({ history, texts }: { history: History; texts: OpsTexts }) {
  const words = useWords();
  const mood = moodOf(history);
  const last = history.at(-1);
  const canary = last && serviceOf(last, "canary");
  const gateways = (last && serviceOf(last, "chat-gateway")?.replicas.length) ?? 0;
  const counted = (key: Counted): Figure => {
    const total = canary?.numbers[key] ?? 0;
    return {
      label: texts.tiles[key],
      text: words.count(total),
      note: texts.total,
      alarm: alarmOf(key, total, history),
    };
  };
  const figures: Figure[] = [
    { label: texts.tiles.ack, ...spread(history, "canary", "ack", words) },
    { label: texts.tiles.receipt, ...spread(history, "canary", "receipt", words) },
    { label: texts.tiles.perSecond, ...moving(history, rate("canary", "acked"), words.perSecond) },
    { label: texts.tiles.waiting, ...moving(history, level("canary", "waiting_seconds"), words.seconds) },
    {
      label: texts.tiles.gateways,
      text: texts.of(words.count(canary?.numbers["up"] ?? 0), words.count(gateways)),
      values: line(history, level("canary", "up")),
      alarm: (canary?.numbers["up"] ?? 0) < gateways ? "waits" : undefined,
    },
    ...BROKEN.map(counted),
    ...SLOW.map(counted),
  ];
  return (
    <section className="ops-card ops-canary" data-mood={mood} aria-labelledby="ops-canary">
      <header>
        <h2 id="ops-canary">{texts.canary}</h2>
        <p className="ops-mood" role="status">
          <span className="ops-dot" aria-hidden="true" />
          {texts.moods[mood]}
        </p>
      </header>
      {canary && (
        <dl className="ops-tiles">
          {figures.map((figure) => (
            <Tile key={figure.label} {...figure} />
          ))}
        </dl>
      )}
    </section>
  );
}
