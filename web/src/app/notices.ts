/** Failures of what the core did in the background, said once. */
import { useEffect } from "react";

import type { Client } from "../core/index.ts";
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
