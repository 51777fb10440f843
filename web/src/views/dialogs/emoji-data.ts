/** The emoji and their names. They are files of the build, loaded at the first use. */
import type { ComponentProps } from "react";
import type { EmojiPicker } from "frimousse";
import enEmoji from "emojibase-data/en/compact.json?url";
import enWords from "emojibase-data/en/messages.json?url";
import koEmoji from "emojibase-data/ko/compact.json?url";
import koWords from "emojibase-data/ko/messages.json?url";

import { toast } from "../../app/overlay.ts";
import { currentTexts } from "../../i18n/index.ts";

type Resolver = NonNullable<ComponentProps<typeof EmojiPicker.Root>["resolveEmojiData"]>;
type EmojiData = Awaited<ReturnType<Resolver>>;

interface CompactEmoji {
  label: string;
  unicode: string;
  group?: number;
  order?: number;
  tags?: string[];
}

interface Words {
  groups: { key: string; message: string; order: number }[];
}

const files = { en: [enEmoji, enWords], ko: [koEmoji, koWords] } as const;
const skinTones = { light: "🏻", "medium-light": "🏼", medium: "🏽", "medium-dark": "🏾", dark: "🏿" };

async function read(url: string): Promise<unknown> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return response.json();
}

function composed(locale: string, emoji: CompactEmoji[], words: Words): EmojiData {
  const groups = words.groups.filter(({ key }) => key !== "component");
  const shown = new Set(groups.map(({ order }) => order));
  return {
    locale,
    skinTones,
    categories: groups.map(({ order, message }) => ({ index: order, label: message })),
    emojis: emoji
      .filter(({ group }) => group !== undefined && shown.has(group))
      .sort((a, b) => (a.order ?? 0) - (b.order ?? 0))
      .map(({ unicode, label, group = 0, tags = [] }) => ({
        emoji: unicode,
        label,
        category: group,
        tags,
        version: 1,
      })),
  };
}

export const emojiOf: Resolver = async (locale) => {
  const [emojiUrl, wordsUrl] = files[locale === "ko" ? "ko" : "en"];
  try {
    const [emoji, words] = await Promise.all([read(emojiUrl), read(wordsUrl)]);
    return composed(locale, emoji as CompactEmoji[], words as Words);
  } catch {
    toast(currentTexts().emoji.failed);
    return composed(locale, [], { groups: [] });
  }
};
