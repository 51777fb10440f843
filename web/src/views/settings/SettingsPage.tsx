import { Link } from "wouter";

import { paths, type SettingName } from "../../app/paths.ts";
import { useTexts } from "../../i18n/index.ts";
import { Icon } from "../../ui/Icon.tsx";
import { Account } from "./Account.tsx";
import { Alerts } from "./Alerts.tsx";
import { Blocked } from "./Blocked.tsx";
import { Devices } from "./Devices.tsx";
import { Display } from "./Display.tsx";
import { MyProfile } from "./MyProfile.tsx";
import { ShortcutList } from "./ShortcutList.tsx";

export default function SettingsPage({ name }: { name: SettingName }) {
  const texts = useTexts();
  return (
    <div className="page">
      <header className="page-head">
        <Link href={paths.settings} className="icon-button back" aria-label={texts.back}>
          <Icon name="back" />
        </Link>
        <h1>{texts.settings[name]}</h1>
      </header>
      <div className="page-body scroll">
        <div className="page-column">
          <Setting name={name} />
        </div>
      </div>
    </div>
  );
}

function Setting({ name }: { name: SettingName }) {
  switch (name) {
    case "profile":
      return <MyProfile />;
    case "account":
      return <Account />;
    case "devices":
      return <Devices />;
    case "alerts":
      return <Alerts />;
    case "display":
      return <Display />;
    case "blocked":
      return <Blocked />;
    case "shortcuts":
      return (
        <section className="card">
          <ShortcutList />
        </section>
      );
  }
}
