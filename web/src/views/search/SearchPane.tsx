import { useEffect, useState } from "react";
import { useLocation, useSearchParams } from "wouter";

import { useClientState, useProfiles } from "../../app/client.ts";
import { paths, type SearchKind } from "../../app/paths.ts";
import { useTexts } from "../../i18n/index.ts";
import { TextButton } from "../../ui/Button.tsx";
import { SearchField } from "../../ui/SearchField.tsx";
import { ConnectionBar } from "../ConnectionBar.tsx";
import { titleOf } from "../../format/text.ts";
import { MessageHits } from "./MessageHits.tsx";
import { PeopleHits } from "./PeopleHits.tsx";

const PAUSE_MS = 250;

/** The search. Its query is in the URL, so "back" from a result returns to it. */
export default function SearchPane() {
  const texts = useTexts();
  const [path, go] = useLocation();
  const [query] = useSearchParams();
  const kind: SearchKind = query.get("kind") === "people" ? "people" : "messages";
  const urlText = query.get("q") ?? "";
  const roomId = query.get("room");
  const [text, setText] = useState(urlText);
  const [lastUrlText, setLastUrlText] = useState(urlText);
  if (lastUrlText !== urlText) {
    setLastUrlText(urlText);
    setText(urlText);
  }
  useEffect(() => {
    if (text === urlText) return;
    const timer = window.setTimeout(() => {
      const room = roomId === null ? {} : { room: roomId };
      go(paths.search({ q: text, kind, ...room }), { replace: path === "/search" });
    }, PAUSE_MS);
    return () => window.clearTimeout(timer);
  }, [text, urlText, kind, roomId, path, go]);
  const hint = kind === "people" ? texts.search.peopleHint : texts.search.messagesHint;

  return (
    <>
      <header className="pane-header">
        <h1>{texts.search.title}</h1>
      </header>
      <div className="pane-search">
        <SearchField
          label={hint}
          value={text}
          onValue={setText}
          clearLabel={texts.remove}
          autoFocus={path === "/search"}
        />
      </div>
      <div className="segments" role="tablist" aria-label={texts.search.kinds}>
        {(["messages", "people"] as const).map((one) => (
          <button
            key={one}
            type="button"
            role="tab"
            className="segment"
            aria-selected={kind === one}
            onClick={() => go(paths.search({ q: text, kind: one }), { replace: true })}
          >
            {texts.search[one]}
          </button>
        ))}
      </div>
      {kind === "messages" && roomId !== null && <InRoom roomId={roomId} q={text} />}
      <ConnectionBar />
      <div className="pane-body scroll">
        {kind === "messages" ? <MessageHits q={urlText} roomId={roomId} /> : <PeopleHits q={urlText} />}
      </div>
    </>
  );
}

function InRoom({ roomId, q }: { roomId: string; q: string }) {
  const texts = useTexts();
  const profiles = useProfiles();
  const room = useClientState((state) => state.rooms.get(roomId));
  const [, go] = useLocation();
  if (!room) return null;
  return (
    <div className="section-title">
      <span className="ellipsis">{texts.search.inRoom(titleOf(room, profiles, texts))}</span>
      <TextButton onClick={() => go(paths.search({ q }), { replace: true })}>
        {texts.search.everywhere}
      </TextButton>
    </div>
  );
}
