import { useId, useMemo, useState } from "react";

import { useMe, useProfiles, useStore } from "../../app/client.ts";
import type { RoomStore } from "../../core/index.ts";
import { useTexts } from "../../i18n/index.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import { completeMention, matchesOf, mentionAt, type Candidate } from "../../format/mentions.ts";

const SHOWN = 6;

interface Choice extends Candidate {
  picture: string | null;
}

export function useCandidates(store: RoomStore): readonly Choice[] {
  const me = useMe();
  const profiles = useProfiles();
  const members = useStore(store, (state) => state.members);
  return useMemo(
    () =>
      members.flatMap(({ user_id }) => {
        const profile = profiles.get(user_id);
        if (!profile || user_id === me.user_id) return [];
        return [
          {
            userId: user_id,
            name: profile.display_name,
            webchatId: profile.webchat_id,
            picture: profile.avatar_url,
          },
        ];
      }),
    [members, profiles, me],
  );
}

interface Options {
  text: string;
  caret: number;
  candidates: readonly Choice[];
  onComplete: (text: string, caret: number) => void;
}

export function useMentions({ text, caret, candidates, onComplete }: Options) {
  const listId = useId();
  const word = mentionAt(text, caret);
  const wordKey = word === null ? null : `${word.start}:${word.query}`;
  const [{ position, of, closed }, setState] = useState({ position: 0, of: wordKey, closed: false });
  if (of !== wordKey)
    setState({ position: 0, of: wordKey, closed: closed && word !== null && word.start === startOf(of) });
  const found = word === null || closed ? [] : matchesOf(word.query, candidates).slice(0, SHOWN);
  const open = found.length > 0;
  const chosen = Math.min(position, found.length - 1);

  const pick = (candidate: Candidate) => {
    if (!word) return;
    const done = completeMention(text, word.start, caret, candidate.name);
    onComplete(done.text, done.caret);
  };

  const onKeyDown = (event: React.KeyboardEvent): boolean => {
    if (!open) return false;
    const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    const choice = found[chosen];
    if (by !== 0) {
      setState({ position: (chosen + by + found.length) % found.length, of: wordKey, closed });
    } else if ((event.key === "Enter" || event.key === "Tab") && !event.shiftKey && choice) {
      pick(choice);
    } else if (event.key === "Escape") {
      setState({ position: 0, of: wordKey, closed: true });
    } else {
      return false;
    }
    event.preventDefault();
    return true;
  };

  const field = {
    "aria-autocomplete": "list" as const,
    "aria-controls": open ? listId : undefined,
    "aria-activedescendant": open ? `${listId}-${chosen}` : undefined,
  };
  return { open, found, chosen, listId, pick, onKeyDown, field };
}

function startOf(wordKey: string | null): number | null {
  return wordKey === null ? null : Number(wordKey.split(":")[0]);
}

export function Mentions({
  found,
  chosen,
  listId,
  pick,
}: Pick<ReturnType<typeof useMentions>, "found" | "chosen" | "listId" | "pick">) {
  const { composer } = useTexts();
  return (
    <div className="completions scroll" role="listbox" id={listId} aria-label={composer.mentions}>
      {found.map((candidate, i) => (
        <div
          key={candidate.userId}
          id={`${listId}-${i}`}
          role="option"
          aria-selected={i === chosen}
          className="completion"
          onPointerDown={(event) => {
            event.preventDefault();
            pick(candidate);
          }}
        >
          <Avatar id={candidate.userId} name={candidate.name} size={28} picture={candidate.picture} />
          <span className="ellipsis">{candidate.name}</span>
          <small className="ellipsis">{candidate.webchatId}</small>
        </div>
      ))}
    </div>
  );
}
