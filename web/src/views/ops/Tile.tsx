/** A tile with one figure: its label, its value and a sparkline of the last five minutes. */
import { useLanguage } from "../../i18n/index.ts";
import { opsTexts } from "./texts.ts";
import {
  smallestBound,
  valuesOf,
  latest,
  quantile,
  type History,
  type Series,
  type Value,
} from "./series.ts";

const WIDTH = 120;
const HEIGHT = 26;
/** The width of a sparkline in points: five minutes, even if there are fewer values yet. */
const SPARK_POINTS = 150;

export interface Figure {
  label: string;
  text: string;
  /** A smaller text beside the value. */
  note?: string | undefined;
  values?: readonly Value[];
  /** `broken`: a promise was broken. `waits`: something is slow or waiting. */
  alarm?: "broken" | "waits" | undefined;
}

export function Tile({ label, text, note, values, alarm }: Figure) {
  return (
    <div className="ops-tile" data-alarm={alarm}>
      <dt>{label}</dt>
      <dd>
        <span className="ops-value">{text}</span>
        {note !== undefined && <span className="ops-note">{note}</span>}
        {values && <Spark values={values} />}
      </dd>
    </div>
  );
}

function Spark({ values }: { values: readonly Value[] }) {
  const top = Math.max(...values.map((value) => value ?? 0), 0);
  const x = (index: number) => WIDTH - (values.length - 1 - index) * (WIDTH / (SPARK_POINTS - 1));
  const y = (value: number) => HEIGHT - 2 - (top === 0 ? 0 : (value / top) * (HEIGHT - 4));
  let path = "";
  let drawing = false;
  values.forEach((value, index) => {
    if (value !== null) path += `${drawing ? "L" : "M"}${x(index).toFixed(1)} ${y(value).toFixed(1)}`;
    drawing = value !== null;
  });
  return (
    <svg
      className="ops-spark"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <path className="ops-base" d={`M0 ${HEIGHT - 1}H${WIDTH}`} />
      <path d={path} />
    </svg>
  );
}

const NO_VALUE = "–";

export interface Formatters {
  count: (value: Value) => string;
  perSecond: (value: Value) => string;
  seconds: (value: Value) => string;
}

/** Return number formatters for the current language. */
export function useFormatters(): Formatters {
  const language = useLanguage();
  const texts = opsTexts[language];
  const format = (value: number, digits: number) =>
    new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(value);
  const count = (value: Value) => (value === null ? NO_VALUE : format(value, value < 10 ? 1 : 0));
  return {
    count,
    perSecond: (value) => (value === null ? NO_VALUE : texts.perS(count(value))),
    seconds: (value) => {
      if (value === null) return NO_VALUE;
      if (value >= 1) return `${format(value, 1)} s`;
      return `${format(value * 1000, value < 0.01 ? 1 : 0)} ms`;
    },
  };
}

/** Return the median as the value, with the 99th percentile as note and sparkline. */
export function quantileFigure(
  history: History,
  service: string,
  key: string,
  { seconds }: Formatters,
): Omit<Figure, "label"> {
  const least = smallestBound(history, service, key);
  const format = (value: Value) =>
    value !== null && value <= least ? `≤ ${seconds(least)}` : seconds(value);
  const p99 = quantile(service, key, 0.99);
  return {
    text: format(latest(history, quantile(service, key, 0.5))),
    note: `p99 ${format(latest(history, p99))}`,
    values: valuesOf(history, p99),
  };
}

export function seriesFigure(
  history: History,
  series: Series,
  format: (value: Value) => string,
): Omit<Figure, "label"> {
  return { text: format(latest(history, series)), values: valuesOf(history, series) };
}
