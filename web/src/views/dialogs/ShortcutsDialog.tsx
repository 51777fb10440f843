import { useTexts } from "../../i18n/index.ts";
import { ShortcutList } from "../settings/ShortcutList.tsx";
import { DialogFrame } from "./DialogFrame.tsx";

export default function ShortcutsDialog() {
  const { settings } = useTexts();
  return (
    <DialogFrame title={settings.shortcuts}>
      <ShortcutList />
    </DialogFrame>
  );
}
