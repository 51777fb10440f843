import { setAlerts, useAlertSetting } from "../../app/alerts.ts";
import { useTexts } from "../../i18n/index.ts";

export function Alerts() {
  const { settings } = useTexts();
  const setting = useAlertSetting();
  const states = {
    on: settings.alertsOn,
    off: settings.alertsOff,
    ask: settings.alertsOff,
    denied: settings.alertsDenied,
    unsupported: settings.alertsUnsupported,
  };
  return (
    <section className="card">
      <p>{states[setting]}</p>
      <p className="card-text">{settings.alertsText}</p>
      {(setting === "off" || setting === "ask") && (
        <div className="card-foot">
          <button type="button" className="button primary" onClick={() => void setAlerts(true)}>
            {settings.alertsTurnOn}
          </button>
        </div>
      )}
      {setting === "on" && (
        <div className="card-foot">
          <button type="button" className="button" onClick={() => void setAlerts(false)}>
            {settings.alertsTurnOff}
          </button>
        </div>
      )}
    </section>
  );
}
