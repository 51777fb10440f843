/** Placeholders in the shape of what is loading. */
const widths = ["58%", "40%", "66%", "48%", "72%", "36%", "54%", "62%"];

export function RowSkeletons({ label, rows = 7 }: { label: string; rows?: number }) {
  return (
    <div role="status" aria-label={label}>
      {widths.slice(0, rows).map((width) => (
        <div className="row-skeleton" key={width} aria-hidden="true">
          <div className="skeleton" />
          <div>
            <div className="skeleton line" style={{ "--w": width } as React.CSSProperties} />
            <div className="skeleton line" style={{ "--w": "84%" } as React.CSSProperties} />
          </div>
        </div>
      ))}
    </div>
  );
}

const bubbles: [string, boolean][] = [
  ["46%", false],
  ["30%", false],
  ["52%", true],
  ["38%", false],
  ["24%", true],
  ["44%", true],
  ["58%", false],
  ["34%", false],
];

export function BubbleSkeletons({ label, rows = bubbles.length }: { label: string; rows?: number }) {
  return (
    <div className="bubble-skeletons" role="status" aria-label={label}>
      {bubbles.slice(-rows).map(([width, own]) => (
        <div
          key={width}
          aria-hidden="true"
          className={own ? "bubble-skeleton skeleton own" : "bubble-skeleton skeleton"}
          style={{ "--w": width } as React.CSSProperties}
        />
      ))}
    </div>
  );
}
