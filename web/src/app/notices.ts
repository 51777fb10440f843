/** Toasts for failed operations. */
import { useEffect } from "react";

import type { Client, Result } from "../core/index.ts";
import { currentTexts } from "../i18n/index.ts";
import { errorText } from "../format/errors.ts";
import { useStore } from "./client.ts";
import { toast } from "./overlay.ts";

export function useNotices(client: Client): void {
  const notices = useStore(client.state, (state) => state.notices);
  useEffect(() => {
    for (const notice of notices) {
      toast(errorText(notice.error, currentTexts()));
      client.actions.dismissNotice(notice.id);
    }
  }, [client, notices]);
}

/** Await a result and show its error, if any, as a toast. Return whether it succeeded. */
export async function showFailure(pending: Promise<Result>): Promise<boolean> {
  const result = await pending;
  if (!result.ok) toast(errorText(result.error, currentTexts()));
  return result.ok;
}
