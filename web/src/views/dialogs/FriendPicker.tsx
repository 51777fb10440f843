import { useMemo, useState } from "react";
import { useLocation } from "wouter";

import { useActions, useClient, useClientState, useProfiles, useStore } from "../../app/client.ts";
import { closeDialog, toast } from "../../app/overlay.ts";
import { paths } from "../../app/paths.ts";
import type { Profile, Result } from "../../core/index.ts";
import { useTexts } from "../../i18n/index.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import { EmptyState } from "../../ui/EmptyState.tsx";
import { Field } from "../../ui/Field.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { SearchField } from "../../ui/SearchField.tsx";
import { matchesOf } from "../../format/mentions.ts";
import { errorText } from "../../format/errors.ts";
import { DialogFrame } from "./DialogFrame.tsx";

const LIMIT = 100;

/** One picked friend opens a direct room, several open a group with a title. */
export function NewChatDialog() {
  const texts = useTexts();
  const { createDirect, createGroup } = useActions();
  const [, go] = useLocation();
  const [picked, setPicked] = useState<readonly string[]>([]);
  const [title, setTitle] = useState("");
  const names = useNames(picked);
  const [only] = picked;

  const create = async () => {
    const name = title.trim() || names.join(", ").slice(0, 100);
    const result = await (picked.length === 1 && only !== undefined
      ? createDirect(only)
      : createGroup(name, picked));
    if (!result.ok) return result;
    closeDialog();
    go(paths.room(result.room.room_id));
    return result;
  };
  return (
    <PickDialog
      title={texts.group.title}
      label={picked.length > 1 ? texts.group.createWith(picked.length) : texts.group.startDirect}
      help={texts.group.nameHelp}
      excluded={none}
      picked={picked}
      onPicked={setPicked}
      run={create}
    >
      {picked.length > 1 && (
        <div className="pick-title">
          <Field
            label={texts.group.name}
            placeholder={texts.group.namePlaceholder}
            value={title}
            maxLength={100}
            onChange={(event) => setTitle(event.target.value)}
          />
        </div>
      )}
    </PickDialog>
  );
}

const none: ReadonlySet<string> = new Set();

export function InviteDialog({ roomId }: { roomId: string }) {
  const texts = useTexts();
  const { invite } = useActions();
  const members = useStore(useClient().room(roomId), (state) => state.members);
  const excluded = useMemo(() => new Set(members.map((member) => member.user_id)), [members]);
  const [picked, setPicked] = useState<readonly string[]>([]);
  const run = async () => {
    const result = await invite(roomId, picked);
    if (!result.ok) return result;
    closeDialog();
    toast(texts.group.invited(picked.length));
    return result;
  };
  return (
    <PickDialog
      title={texts.group.inviteTitle}
      label={texts.group.invite(picked.length)}
      excluded={excluded}
      picked={picked}
      onPicked={setPicked}
      run={run}
    />
  );
}

interface PickDialogProps {
  title: string;
  /** The label of the submit button. */
  label: string;
  help?: string;
  excluded: ReadonlySet<string>;
  picked: readonly string[];
  onPicked: (ids: readonly string[]) => void;
  run: () => Promise<Result>;
  children?: React.ReactNode;
}

function PickDialog({ title, label, help, run, children, ...picker }: PickDialogProps) {
  const texts = useTexts();
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);
  const act = async () => {
    setBusy(true);
    const result = await run();
    setBusy(false);
    if (!result.ok) setError(errorText(result.error, texts));
  };
  return (
    <DialogFrame
      title={title}
      className="tall"
      flush
      foot={
        <button
          type="button"
          className="button primary wide"
          disabled={picker.picked.length === 0 || busy}
          onClick={() => void act()}
        >
          {label}
        </button>
      }
    >
      {children}
      <Picker {...picker} note={error ?? help} failed={error !== undefined} />
    </DialogFrame>
  );
}

function useNames(ids: readonly string[]): string[] {
  const profiles = useProfiles();
  return ids.flatMap((id) => profiles.get(id)?.display_name ?? []);
}

interface PickerProps {
  picked: readonly string[];
  onPicked: (ids: readonly string[]) => void;
  excluded: ReadonlySet<string>;
  note: string | undefined;
  failed: boolean;
}

function Picker({ picked, onPicked, excluded, note, failed }: PickerProps) {
  const texts = useTexts();
  const friends = useFriends(excluded);
  const [query, setQuery] = useState("");
  const found = query === "" ? friends : matchesOf(query, friends);
  const toggle = (id: string) => {
    if (picked.includes(id)) onPicked(picked.filter((one) => one !== id));
    else if (picked.length < LIMIT) onPicked([...picked, id]);
    else toast(texts.group.tooMany);
  };
  if (friends.length === 0) {
    return <EmptyState drawing="people" title={texts.group.nobody} text={texts.group.nobodyText} />;
  }
  return (
    <>
      <div className="pick-search">
        <SearchField
          label={texts.group.find}
          value={query}
          onValue={setQuery}
          clearLabel={texts.remove}
          autoFocus
        />
        {note !== undefined && (
          <p className={failed ? "field-note error" : "field-note"} role={failed ? "alert" : undefined}>
            {note}
          </p>
        )}
      </div>
      <PickedFriends picked={picked} onUnpick={toggle} />
      <ul>
        {found.map(({ userId, name, profile }) => (
          <li key={userId}>
            <button
              type="button"
              role="checkbox"
              aria-checked={picked.includes(userId)}
              className="person"
              onClick={() => toggle(userId)}
            >
              <Avatar id={userId} name={name} picture={profile.avatar_url} />
              <span className="person-text">
                <span className="person-name ellipsis">{name}</span>
                <span className="person-note ellipsis">{profile.webchat_id}</span>
              </span>
              <span className="check">
                <Icon name="check" small />
              </span>
            </button>
          </li>
        ))}
      </ul>
      {found.length === 0 && <p className="section-none">{texts.friends.none}</p>}
    </>
  );
}

function PickedFriends({ picked, onUnpick }: { picked: readonly string[]; onUnpick: (id: string) => void }) {
  const texts = useTexts();
  const profiles = useProfiles();
  if (picked.length === 0) return null;
  return (
    <div className="chips">
      {picked.map((id) => {
        const name = profiles.get(id)?.display_name ?? "";
        return (
          <button key={id} type="button" className="chip" onClick={() => onUnpick(id)}>
            <Avatar id={id} name={name} size={22} picture={profiles.get(id)?.avatar_url} />
            <span className="ellipsis">{name}</span>
            <Icon name="close" small />
            <span className="sr-only">{texts.group.unpick}</span>
          </button>
        );
      })}
    </div>
  );
}

function useFriends(
  excluded: ReadonlySet<string>,
): { userId: string; name: string; webchatId: string; profile: Profile }[] {
  const ids = useClientState((state) => state.friends);
  const profiles = useProfiles();
  return useMemo(
    () =>
      ids
        .flatMap((userId) => {
          const profile = profiles.get(userId);
          if (!profile || excluded.has(userId)) return [];
          return [{ userId, name: profile.display_name, webchatId: profile.webchat_id, profile }];
        })
        .sort((a, b) => a.name.localeCompare(b.name)),
    [ids, profiles, excluded],
  );
}
