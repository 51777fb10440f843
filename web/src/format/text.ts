/** Names, initials and previews of rooms, users and messages. */
import { plainText } from "./markup.ts";
import type { Message, Profile, RoomSummary } from "../core/index.ts";
import type { Texts } from "../i18n/index.ts";

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

export function characters(text: string): string[] {
  return Array.from(graphemes.segment(text), (part) => part.segment);
}

/** Return the first character of a name that is not a space. */
export function initialOf(name: string): string {
  return (characters(name.trim())[0] ?? "?").toLocaleUpperCase();
}

/** Return one of eight colours, always the same for the same ID. */
export function toneOf(id: string): number {
  let hash = 0;
  for (const letter of id) hash = (hash * 31 + (letter.codePointAt(0) ?? 0)) >>> 0;
  return ((hash ^ (hash >>> 15)) >>> 0) % 8;
}

export function nameOf(profile: Profile | undefined, texts: Texts): string {
  return profile?.display_name ?? texts.unknownPerson;
}

export function titleOf(room: RoomSummary, profiles: ReadonlyMap<string, Profile>, texts: Texts): string {
  if (room.kind === "group") return room.title || texts.unknownRoom;
  return room.peer_id == null ? texts.unknownRoom : nameOf(profiles.get(room.peer_id), texts);
}

/** Return whether a message is one to three emoji, which are shown large. */
export function isEmojiOnly(body: string): boolean {
  if (body.length > 40) return false;
  const parts = characters(body.replace(/\s/g, ""));
  return (
    parts.length > 0 && parts.length <= 3 && parts.every((part) => /^\p{Extended_Pictographic}/u.test(part))
  );
}

export function attachmentText(attachments: NonNullable<Message["attachments"]>, texts: Texts): string {
  const [first] = attachments;
  if (!first) return texts.rooms.file;
  const images = attachments.filter((one) => one.content_type.startsWith("image/")).length;
  if (images > 1) return texts.rooms.photos(images);
  if (first.content_type.startsWith("image/")) return texts.rooms.photo;
  if (first.content_type.startsWith("video/")) return texts.rooms.video;
  if (first.content_type.startsWith("audio/")) return texts.rooms.audio;
  return first.filename;
}

/** Return a preview of one line for the room list, quotes and notifications. */
export function previewOf(message: Message, texts: Texts): string {
  if (message.deleted === true) return texts.rooms.deleted;
  const text = plainText(message.body);
  if (text !== "") return text;
  return attachmentText(message.attachments ?? [], texts);
}

/** Split a text into matches of the search query and the rest. */
export function splitMatches(text: string, query: string): { text: string; hit: boolean }[] {
  const words = query.trim().split(/\s+/).filter(Boolean);
  if (words.length === 0) return [{ text, hit: false }];
  const escaped = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return text
    .split(new RegExp(`(${escaped.join("|")})`, "giu"))
    .map((piece, i) => ({ text: piece, hit: i % 2 === 1 }))
    .filter((piece) => piece.text !== "");
}
