/** The content of an empty screen or list: what to do first, with a small drawing. */
const drawings = {
  bubbles: (
    <>
      <rect className="honey" x="42" y="30" width="46" height="26" rx="10" />
      <path d="M18 12h34a9 9 0 0 1 9 9v9a9 9 0 0 1-9 9H28l-11 8v-9a9 9 0 0 1-8-8v-9a9 9 0 0 1 9-9Z" />
      <path d="M22 22h24M22 29h15" />
    </>
  ),
  people: (
    <>
      <rect className="honey" x="52" y="24" width="30" height="30" rx="11" />
      <rect x="16" y="14" width="38" height="38" rx="14" />
      <path d="M28 28v3M42 28v3M29 39a9 9 0 0 0 12 0" />
    </>
  ),
  search: (
    <>
      <rect className="honey" x="20" y="34" width="40" height="20" rx="8" />
      <circle cx="48" cy="30" r="18" />
      <path d="M61 43l16 16M40 28h16M40 34h9" />
    </>
  ),
  lost: (
    <>
      <rect className="honey" x="30" y="36" width="40" height="20" rx="8" />
      <path d="M24 14h38l12 12v30H24zM62 14v12h12M36 36h.1M60 36h.1M42 48q6-6 14 0" />
    </>
  ),
};

export function EmptyState({
  drawing,
  title,
  text,
  level = 2,
  children,
}: {
  drawing?: keyof typeof drawings;
  title: string;
  text?: string;
  level?: 1 | 2;
  children?: React.ReactNode;
}) {
  const Heading = level === 1 ? "h1" : "h2";
  return (
    <div className="empty">
      {drawing && (
        <svg className="empty-drawing" viewBox="0 0 96 72" aria-hidden="true">
          {drawings[drawing]}
        </svg>
      )}
      <Heading>{title}</Heading>
      {text !== undefined && <p>{text}</p>}
      {children}
    </div>
  );
}
