import { useTexts } from "../../i18n/index.ts";
import { ShortcutList } from "../settings/ShortcutList.tsx";
import { Frame } from "./Frame.tsx";

export default function Shortcuts() {
  const { settings } = useTexts();
  return (
    <Frame title={settings.shortcuts}>
      <ShortcutList />
    </Frame>
  );
}
