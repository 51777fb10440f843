import { useActions } from "../../app/client.ts";
import { useTexts } from "../../i18n/index.ts";
import { errorText } from "../../format/errors.ts";
import { useTabIndex } from "./message-actions.ts";
import type { MessageView } from "./message-view.ts";

export function SendError({ shown }: { shown: MessageView }) {
  const texts = useTexts();
  const tabIndex = useTabIndex();
  const { retry, discard } = useActions();
  const blocked = shown.error?.code === "forbidden" ? texts.composer.blocked : null;
  return (
    <div className="failed-line" role="alert">
      <span>{blocked ?? (shown.error ? errorText(shown.error, texts) : texts.message.failed)}</span>
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
