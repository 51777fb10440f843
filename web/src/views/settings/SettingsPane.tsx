import { Link, useLocation } from "wouter";

import { useActions, useClientState } from "../../app/client.ts";
import { showFailure } from "../../app/notices.ts";
import { openDialog } from "../../app/overlay.ts";
import { paths, settingNames, type SettingName } from "../../app/paths.ts";
import { useTexts } from "../../i18n/index.ts";
import { Icon, type IconName } from "../../ui/Icon.tsx";

const icons: Record<SettingName, IconName> = {
  profile: "person",
  account: "lock",
  devices: "computer",
  alerts: "bell",
  display: "palette",
  blocked: "block",
  shortcuts: "keyboard",
};

export default function SettingsPane({ selected }: { selected: SettingName | null }) {
  const { settings } = useTexts();
  const { signOut } = useActions();
  const unsent = useClientState((state) => state.unsent);
  const [, go] = useLocation();
  const leave = () =>
    openDialog({
      kind: "confirm",
      title: settings.signOutAsk,
      text: unsent > 0 ? settings.signOutUnsent(unsent) : settings.signOutText,
      action: settings.signOut,
      danger: unsent > 0,
      run: () => {
        go(paths.rooms);
        return showFailure(signOut());
      },
    });
  return (
    <>
      <header className="pane-header">
        <h1>{settings.title}</h1>
      </header>
      <nav className="pane-body scroll" aria-label={settings.title}>
        <ul>
          {settingNames.map((name) => (
            <li key={name}>
              <Link
                href={paths.setting(name)}
                className="nav-row"
                aria-current={name === selected ? "page" : undefined}
              >
                <Icon name={icons[name]} />
                {settings[name]}
              </Link>
            </li>
          ))}
          <li>
            <button type="button" className="nav-row" onClick={leave}>
              <Icon name="leave" />
              {settings.signOut}
            </button>
          </li>
        </ul>
      </nav>
    </>
  );
}
