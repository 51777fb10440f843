import { useCallback, useEffect } from "react";
import { Link, useLocation, useSearchParams } from "wouter";

import { useActions, useClientState, useProfile, useProfiles } from "../../app/client.ts";
import { paths } from "../../app/paths.ts";
import { useNow } from "../../app/time.ts";
import type { Message } from "../../core/index.ts";
import { useLanguage, useTexts } from "../../i18n/index.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import { EmptyState } from "../../ui/EmptyState.tsx";
import { RowSkeletons } from "../../ui/Skeleton.tsx";
import { listTime } from "../../format/locale.ts";
import { plainText } from "../../format/markup.ts";
import { splitMatches, nameOf, titleOf } from "../../format/text.ts";
import { HitList } from "./HitList.tsx";
import { usePages } from "./pages.ts";
import { LoadError } from "../LoadError.tsx";

export function MessageHits({ q, roomId }: { q: string; roomId: string | null }) {
  const texts = useTexts();
  const { searchMessages, loadProfiles } = useActions();
  const wanted = q.trim();
  const load = useCallback(
    (cursor?: string) =>
      searchMessages({
        q: wanted,
        ...(roomId === null ? {} : { roomId }),
        ...(cursor === undefined ? {} : { cursor }),
      }),
    [searchMessages, wanted, roomId],
  );
  const { items, loadMore, error, retry } = usePages(wanted === "" ? null : load);
  useEffect(() => {
    if (items) loadProfiles(items.map((message) => message.sender_id));
  }, [items, loadProfiles]);
  if (wanted === "") {
    return (
      <EmptyState drawing="search" title={texts.search.startMessages} text={texts.search.startMessagesText} />
    );
  }
  if (error) return <LoadError error={error} onRetry={retry} />;
  if (!items) return <RowSkeletons label={texts.loading} />;
  if (items.length === 0 && !loadMore) {
    return <EmptyState drawing="search" title={texts.search.noMessages} text={texts.search.noneText} />;
  }
  return (
    <HitList count={items.length} onMore={loadMore}>
      {items.map((message) => (
        <li key={`${message.room_id}.${message.seq}`}>
          <Hit message={message} q={wanted} within={roomId} />
        </li>
      ))}
    </HitList>
  );
}

function Hit({ message, q, within }: { message: Message; q: string; within: string | null }) {
  const texts = useTexts();
  const language = useLanguage();
  const now = useNow();
  const profiles = useProfiles();
  const sender = useProfile(message.sender_id);
  const room = useClientState((state) => state.rooms.get(message.room_id));
  const [path] = useLocation();
  const [query] = useSearchParams();
  const here = path === paths.room(message.room_id) && query.get("at") === String(message.seq);
  const search = new URLSearchParams({
    at: String(message.seq),
    q,
    ...(within === null ? {} : { room: within }),
  });
  const name = nameOf(sender, texts);
  return (
    <Link
      href={`${paths.room(message.room_id)}?${search.toString()}`}
      className="hit"
      aria-current={here ? "true" : undefined}
    >
      <Avatar id={message.sender_id} name={name} picture={sender?.avatar_url} />
      <span className="person-text">
        <span className="hit-head">
          <span className="ellipsis">
            {room && within === null ? `${name} · ${titleOf(room, profiles, texts)}` : name}
          </span>
          <time dateTime={message.at}>{listTime(new Date(message.at), language, texts, now)}</time>
        </span>
        <span className="hit-body">
          {splitMatches(around(plainText(message.body), q), q).map((piece, i) =>
            piece.hit ? <mark key={i}>{piece.text}</mark> : piece.text,
          )}
        </span>
      </span>
    </Link>
  );
}

/** Cut a long message, so that it starts shortly before the match. */
function around(text: string, q: string): string {
  const first = q.trim().split(/\s+/)[0] ?? "";
  const at = text.toLocaleLowerCase().indexOf(first.toLocaleLowerCase());
  return at > 60 ? `…${text.slice(at - 30)}` : text;
}
