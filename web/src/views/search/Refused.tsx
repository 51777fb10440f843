import type { Problem } from "../../core/index.ts";
import { useTexts } from "../../i18n/index.ts";
import { TextButton } from "../../ui/Button.tsx";
import { problemText } from "../logic/problems.ts";

/** Something did not load: what, and the way out. */
export function Refused({ problem, again }: { problem: Problem; again: () => void }) {
  const texts = useTexts();
  return (
    <div className="notice error" role="alert">
      <p>{problemText(problem, texts)}</p>
      <TextButton onClick={again}>{texts.retry}</TextButton>
    </div>
  );
}
