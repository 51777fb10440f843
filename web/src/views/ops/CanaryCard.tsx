/** The first card: whether messages arrive. */
import { Tile, seriesFigure, quantileFigure, useFormatters, type Figure } from "./Tile.tsx";
import { level, valuesOf, canaryStatusOf, rate, increaseOf, serviceOf, type History } from "./series.ts";
import type { OpsTexts } from "./texts.ts";

const BROKEN = ["lost", "repeated", "gaps"] as const;
const SLOW = ["late", "unacked"] as const;
type Counted = (typeof BROKEN | typeof SLOW)[number];

/** Broken promises stay visible forever. Slowness is only shown while it is in the history. */
function alarmFor(key: Counted, total: number, history: History): Figure["alarm"] {
  if (BROKEN.some((one) => one === key)) return total > 0 ? "broken" : undefined;
  return increaseOf(history, "canary", key) > 0 ? "waits" : undefined;
}

export function CanaryCard({ history, texts }: { history: History; texts: OpsTexts }) {
  const formatters = useFormatters();
  const status = canaryStatusOf(history);
  const last = history.at(-1);
  const canary = last && serviceOf(last, "canary");
  const gateways = (last && serviceOf(last, "chat-gateway")?.replicas.length) ?? 0;
  const counted = (key: Counted): Figure => {
    const total = canary?.numbers[key] ?? 0;
    return {
      label: texts.tiles[key],
      text: formatters.count(total),
      note: texts.total,
      alarm: alarmFor(key, total, history),
    };
  };
  const figures: Figure[] = [
    { label: texts.tiles.ack, ...quantileFigure(history, "canary", "ack", formatters) },
    { label: texts.tiles.receipt, ...quantileFigure(history, "canary", "receipt", formatters) },
    { label: texts.tiles.perSecond, ...seriesFigure(history, rate("canary", "acked"), formatters.perSecond) },
    {
      label: texts.tiles.waiting,
      ...seriesFigure(history, level("canary", "waiting_seconds"), formatters.seconds),
    },
    {
      label: texts.tiles.gateways,
      text: texts.of(formatters.count(canary?.numbers["up"] ?? 0), formatters.count(gateways)),
      values: valuesOf(history, level("canary", "up")),
      alarm: (canary?.numbers["up"] ?? 0) < gateways ? "waits" : undefined,
    },
    ...BROKEN.map(counted),
    ...SLOW.map(counted),
  ];
  return (
    <section className="ops-card ops-canary" data-mood={status} aria-labelledby="ops-canary">
      <header>
        <h2 id="ops-canary">{texts.canary}</h2>
        <p className="ops-mood" role="status">
          <span className="ops-dot" aria-hidden="true" />
          {texts.canaryStatus[status]}
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
