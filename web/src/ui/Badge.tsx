import { badgeText } from "../format/locale.ts";

export function Badge({ count, label, muted = false }: { count: number; label: string; muted?: boolean }) {
  if (count <= 0) return null;
  return (
    <span className={muted ? "badge muted" : "badge"}>
      <span aria-hidden="true">{badgeText(count)}</span>
      <span className="sr-only">{label}</span>
    </span>
  );
}
