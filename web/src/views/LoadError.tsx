import type { DomainError } from "../core/index.ts";
import { useTexts } from "../i18n/index.ts";
import { TextButton } from "../ui/Button.tsx";
import { errorText } from "../format/errors.ts";

/** Explains why something did not load and offers a retry. */
export function LoadError({ error, onRetry }: { error: DomainError; onRetry: () => void }) {
  const texts = useTexts();
  return (
    <div className="notice error" role="alert">
      <p>{errorText(error, texts)}</p>
      <TextButton onClick={onRetry}>{texts.retry}</TextButton>
    </div>
  );
}
