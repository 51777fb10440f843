import { useEffect, useState } from "react";

import { useActions } from "../../app/client.ts";

export type Availability = "none" | "bad" | "checking" | "free" | "taken" | "unknown";

const PAUSE_MS = 250;

/** Return whether a WebChat ID is available. The server is asked when the user stops typing. */
export function useAvailability(webchatId: string): Availability {
  const { isWebchatIdFree } = useActions();
  const [answer, setAnswer] = useState<{ webchatId: string; state: Availability }>({
    webchatId: "",
    state: "none",
  });
  const wellFormed = /^[a-z0-9_.]{3,20}$/.test(webchatId);
  useEffect(() => {
    if (!wellFormed) return;
    let current = true;
    const timer = window.setTimeout(() => {
      void isWebchatIdFree(webchatId).then((result) => {
        if (!current) return;
        const state = !result.ok ? "unknown" : result.available ? "free" : "taken";
        setAnswer({ webchatId, state });
      });
    }, PAUSE_MS);
    return () => {
      current = false;
      window.clearTimeout(timer);
    };
  }, [webchatId, wellFormed, isWebchatIdFree]);
  if (webchatId === "") return "none";
  if (!wellFormed) return "bad";
  return answer.webchatId === webchatId ? answer.state : "checking";
}
