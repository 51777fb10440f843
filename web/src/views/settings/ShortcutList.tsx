import { isApple } from "../../app/hotkeys.ts";
import { useTexts } from "../../i18n/index.ts";

export function ShortcutList() {
  const { settings } = useTexts();
  const command = isApple() ? "⌘" : "Ctrl";
  const alt = isApple() ? "⌥" : "Alt";
  const keys: [string, string][] = [
    [settings.keySwitcher, `${command} K`],
    [settings.keyNextRoom, `${alt} ↑ · ${alt} ↓`],
    [settings.keySend, "Enter"],
    [settings.keyBreak, "Shift Enter"],
    [settings.keyEditLast, "↑"],
    [settings.keyLog, "↑ · ↓"],
    [settings.keyMessage, "Enter"],
    [settings.keyEscape, "Esc"],
    [settings.keyHelp, `${command} /`],
  ];
  return (
    <dl className="shortcuts">
      {keys.map(([what, key]) => (
        <div key={what}>
          <dt>{what}</dt>
          <dd>
            <kbd className="key">{key}</kbd>
          </dd>
        </div>
      ))}
    </dl>
  );
}
