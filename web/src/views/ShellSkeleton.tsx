import { useTexts } from "../i18n/index.ts";
import { RowSkeletons } from "../ui/Skeleton.tsx";

/** The skeleton of the client while it finds out who is signed in. */
export function ShellSkeleton() {
  const texts = useTexts();
  return (
    <div className="shell" data-screen="list">
      <div className="rail" />
      <div className="list-pane">
        <div className="pane-header" />
        <RowSkeletons label={texts.loading} />
      </div>
      <div className="main-pane" />
    </div>
  );
}
