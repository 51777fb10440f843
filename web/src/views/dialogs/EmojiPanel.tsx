import { EmojiPicker, type EmojiPickerListComponents } from "frimousse";

import { useLanguage, useTexts } from "../../i18n/index.ts";
import { emojiOf } from "./emoji-data.ts";

const QUICK = ["👍", "❤️", "😂", "😮", "😢", "🙏", "🎉"];

/** ARIA counts rows and columns from one, the picker from zero. */
const fromOne = (index: number | undefined) => (index ?? 0) + 1;

const components: EmojiPickerListComponents = {
  CategoryHeader: ({ category, ...props }) => (
    <div className="emoji-category" {...props}>
      {category.label}
    </div>
  ),
  Row: ({ children, ...props }) => (
    <div className="emoji-row" {...props} aria-rowindex={fromOne(props["aria-rowindex"])}>
      {children}
    </div>
  ),
  Emoji: ({ emoji, ...props }) => (
    <button type="button" className="emoji-cell" {...props} aria-colindex={fromOne(props["aria-colindex"])}>
      {emoji.emoji}
    </button>
  ),
};

export default function EmojiPanel({ onPick }: { onPick: (emoji: string) => void }) {
  const { emoji } = useTexts();
  const language = useLanguage();
  return (
    <EmojiPicker.Root
      className="emoji-panel"
      locale={language}
      columns={8}
      resolveEmojiData={emojiOf}
      onEmojiSelect={(picked) => onPick(picked.emoji)}
    >
      <div className="emoji-quick">
        {QUICK.map((one) => (
          <button key={one} type="button" className="emoji-cell" aria-label={one} onClick={() => onPick(one)}>
            {one}
          </button>
        ))}
      </div>
      <div className="search-field">
        <EmojiPicker.Search aria-label={emoji.search} placeholder={emoji.search} />
      </div>
      <EmojiPicker.Viewport className="emoji-viewport scroll">
        <EmojiPicker.Loading className="emoji-note">
          <span className="dots">
            <i />
            <i />
            <i />
          </span>
        </EmojiPicker.Loading>
        <EmojiPicker.Empty className="emoji-note">{emoji.none}</EmojiPicker.Empty>
        <EmojiPicker.List components={components} />
      </EmojiPicker.Viewport>
    </EmojiPicker.Root>
  );
}
