import { memo, useMemo, useState } from "react";

import { useProfile, useProfiles, useStore } from "../../app/client.ts";
import { useTexts } from "../../i18n/index.ts";
import { MessageText } from "../../ui/MessageText.tsx";
import { isEmojiOnly, nameOf, previewOf } from "../../format/text.ts";
import { useMessage, useTabIndex } from "./message-actions.ts";
import type { MessageView } from "./message-view.ts";

const LONG_TEXT = 1200;
const LONG_LINES = 18;

export const Bubble = memo(function Bubble({ shown, flash }: { shown: MessageView; flash: boolean }) {
  const texts = useTexts();
  const look = `bubble${flash ? " flash" : ""}${shown.deleted ? " deleted" : ""}`;
  if (shown.deleted) return <div className={look}>{texts.message.deleted}</div>;
  return (
    <div className={look}>
      {shown.replyTo !== null && <Quote seq={shown.replyTo} />}
      {shown.body !== "" && <Body shown={shown} />}
    </div>
  );
});

function Body({ shown }: { shown: MessageView }) {
  const { me } = useMessage();
  const tabIndex = useTabIndex();
  const texts = useTexts().message;
  const profiles = useProfiles();
  const [unfolded, setUnfolded] = useState(false);
  const people = useMemo(
    () =>
      shown.mentions.flatMap((userId) => {
        const profile = profiles.get(userId);
        return profile ? [{ userId, name: profile.display_name }] : [];
      }),
    [shown.mentions, profiles],
  );
  if (isEmojiOnly(shown.body)) return <div className="big-emoji">{shown.body}</div>;
  const long = shown.body.length > LONG_TEXT || shown.body.split("\n").length > LONG_LINES;
  return (
    <>
      <MessageText body={shown.body} people={people} me={me} folded={long && !unfolded} />
      {long && (
        <button
          type="button"
          className="unfold"
          tabIndex={tabIndex}
          aria-expanded={unfolded}
          onClick={() => setUnfolded(!unfolded)}
        >
          {unfolded ? texts.fold : texts.unfold}
        </button>
      )}
    </>
  );
}

function Quote({ seq }: { seq: number }) {
  const { store, jump } = useMessage();
  const tabIndex = useTabIndex();
  const texts = useTexts();
  const message = useStore(store, (state) => state.quoted.get(seq));
  const sender = useProfile(message?.sender_id ?? "");
  if (message === null) return <span className="quote">{texts.message.quoteGone}</span>;
  const name = message ? nameOf(sender, texts) : "";
  return (
    <button
      type="button"
      tabIndex={tabIndex}
      className="quote"
      title={texts.message.jumpTo}
      onClick={() => jump(seq)}
    >
      {message ? (
        <>
          <strong className="ellipsis">{name}</strong>
          <span className="ellipsis">{previewOf(message, texts)}</span>
        </>
      ) : (
        texts.message.quoteFar
      )}
    </button>
  );
}
