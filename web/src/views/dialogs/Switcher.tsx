import { useId, useMemo, useState } from "react";
import { Dialog } from "@ariakit/react";
import { useLocation } from "wouter";

import { useActions, useClientState, useProfiles } from "../../app/client.ts";
import { closeDialog, toast } from "../../app/overlay.ts";
import { paths } from "../../app/paths.ts";
import type { RoomSummary } from "../../core/index.ts";
import { useTexts } from "../../i18n/index.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { isComposing } from "../room/text-field.ts";
import { matchesOf } from "../../format/mentions.ts";
import { errorText } from "../../format/errors.ts";
import { titleOf } from "../../format/text.ts";
import { RoomAvatar } from "../rooms/RoomAvatar.tsx";

type Choice = { key: string; name: string; webchatId: string } & (
  { to: "room"; room: RoomSummary } | { to: "friend"; userId: string } | { to: "messages" } | { to: "people" }
);

const SHOWN = 12;

export function Switcher({ typed = "" }: { typed?: string | undefined }) {
  const texts = useTexts();
  const listId = useId();
  const [query, setQuery] = useState(typed);
  const [position, setPosition] = useState(0);
  const choices = useChoices(query);
  const go = useChoose(query);
  const chosen = Math.min(position, choices.length - 1);

  const onKeyDown = (event: React.KeyboardEvent) => {
    if (isComposing(event)) return;
    const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    const choice = choices[chosen];
    if (by !== 0) setPosition((chosen + by + choices.length) % Math.max(1, choices.length));
    else if (event.key === "Enter" && choice) void go(choice);
    else return;
    event.preventDefault();
  };

  return (
    <Dialog
      open
      onClose={closeDialog}
      className="dialog top switcher"
      aria-label={texts.switcher.label}
      backdrop={<div className="backdrop" />}
      autoFocusOnHide={false}
    >
      <div className="switcher-field">
        <Icon name="search" />
        <input
          role="combobox"
          aria-expanded={choices.length > 0}
          aria-controls={listId}
          aria-activedescendant={chosen >= 0 ? `${listId}-${chosen}` : undefined}
          aria-autocomplete="list"
          aria-label={texts.switcher.label}
          placeholder={texts.switcher.placeholder}
          autoComplete="off"
          spellCheck={false}
          autoFocus
          value={query}
          onChange={(event) => {
            setQuery(event.target.value);
            setPosition(0);
          }}
          onKeyDown={onKeyDown}
        />
      </div>
      {choices.length === 0 && <p className="section-none">{texts.switcher.none}</p>}
      <ChoiceList
        id={listId}
        choices={choices}
        chosen={chosen}
        query={query.trim()}
        onPoint={setPosition}
        onChoose={(choice) => void go(choice)}
      />
    </Dialog>
  );
}

interface ChoiceListProps {
  id: string;
  choices: readonly Choice[];
  /** The index of the selected choice. */
  chosen: number;
  query: string;
  onPoint: (index: number) => void;
  onChoose: (choice: Choice) => void;
}

function ChoiceList({ id, choices, chosen, query, onPoint, onChoose }: ChoiceListProps) {
  const { switcher } = useTexts();
  return (
    <div className="switcher-list scroll" role="listbox" id={id} aria-label={switcher.label} tabIndex={-1}>
      {choices.map((choice, i) => (
        <div
          key={choice.key}
          id={`${id}-${i}`}
          role="option"
          aria-selected={i === chosen}
          className="person"
          data-selected={i === chosen}
          ref={i === chosen ? (element) => element?.scrollIntoView({ block: "nearest" }) : undefined}
          onClick={() => onChoose(choice)}
          onPointerMove={() => {
            if (i !== chosen) onPoint(i);
          }}
        >
          <ChoiceContent choice={choice} query={query} />
        </div>
      ))}
    </div>
  );
}

function ChoiceContent({ choice, query }: { choice: Choice; query: string }) {
  const { switcher } = useTexts();
  const profiles = useProfiles();
  switch (choice.to) {
    case "room":
      return (
        <>
          <RoomAvatar room={choice.room} size={32} />
          <span className="person-text person-name ellipsis">{choice.name}</span>
          <span className="person-side">{switcher.room}</span>
        </>
      );
    case "friend":
      return (
        <>
          <Avatar
            id={choice.userId}
            name={choice.name}
            size={32}
            picture={profiles.get(choice.userId)?.avatar_url}
          />
          <span className="person-text person-name ellipsis">{choice.name}</span>
          <span className="person-side">{switcher.friend}</span>
        </>
      );
    case "messages":
    case "people":
      return (
        <>
          <span className="device-icon">
            <Icon name={choice.to === "messages" ? "search" : "addPerson"} />
          </span>
          <span className="person-text ellipsis">
            {choice.to === "messages" ? switcher.searchFor(query) : switcher.peopleFor(query)}
          </span>
        </>
      );
  }
}

function useChoices(query: string): Choice[] {
  const texts = useTexts();
  const order = useClientState((state) => state.order);
  const rooms = useClientState((state) => state.rooms);
  const friends = useClientState((state) => state.friends);
  const profiles = useProfiles();
  return useMemo(() => {
    const wanted = query.trim();
    const toRooms = order.flatMap((id): Choice[] => {
      const room = rooms.get(id);
      if (!room) return [];
      const webchatId = profiles.get(room.peer_id ?? "")?.webchat_id ?? "";
      return [{ key: id, to: "room", room, name: titleOf(room, profiles, texts), webchatId }];
    });
    const peers = new Set(toRooms.flatMap((one) => (one.to === "room" ? (one.room.peer_id ?? []) : [])));
    const toFriends = friends.flatMap((userId): Choice[] => {
      const profile = profiles.get(userId);
      if (!profile || peers.has(userId)) return [];
      return [
        { key: userId, to: "friend", userId, name: profile.display_name, webchatId: profile.webchat_id },
      ];
    });
    if (wanted === "") return toRooms.slice(0, SHOWN);
    const found = matchesOf(wanted, [...toRooms, ...toFriends]).slice(0, SHOWN);
    const search: Choice = { key: "messages", to: "messages", name: "", webchatId: "" };
    const people: Choice = { key: "people", to: "people", name: "", webchatId: "" };
    return [...found, search, ...(/^[a-z0-9_.]{2,20}$/i.test(wanted) ? [people] : [])];
  }, [query, order, rooms, friends, profiles, texts]);
}

function useChoose(query: string): (choice: Choice) => Promise<void> {
  const [, go] = useLocation();
  const texts = useTexts();
  const { createDirect } = useActions();
  return async (choice) => {
    const q = query.trim();
    closeDialog();
    if (choice.to === "room") go(paths.room(choice.room.room_id));
    else if (choice.to === "messages") go(paths.search({ q }));
    else if (choice.to === "people") go(paths.search({ q, kind: "people" }));
    else {
      const result = await createDirect(choice.userId);
      if (result.ok) go(paths.room(result.room.room_id));
      else toast(errorText(result.error, texts));
    }
  };
}
