import { useActions } from "../../app/client.ts";
import { useTexts } from "../../i18n/index.ts";
import { problemText } from "../logic/problems.ts";
import { useTabIndex } from "./message-actions.ts";
import type { Shown } from "./shown.ts";

export function FailedLine({ shown }: { shown: Shown }) {
  const texts = useTexts();
  const tabIndex = useTabIndex();
  const { retry, discard } = useActions();
  const refused = shown.problem?.code === "forbidden" ? texts.composer.blocked : null;
  return (
    <div className="failed-line" role="alert">
      <span>{refused ?? (shown.problem ? problemText(shown.problem, texts) : texts.message.failed)}</span>
      <span>
        <button type="button" tabIndex={tabIndex} onClick={() => retry(shown.clientId)}>
          {texts.message.resend}
        </button>
        <span aria-hidden="true">·</span>
        <button type="button" tabIndex={tabIndex} onClick={() => discard(shown.clientId)}>
          {texts.message.discard}
        </button>
      </span>
    </div>
  );
}
