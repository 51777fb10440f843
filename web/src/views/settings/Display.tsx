import { useId, useState } from "react";

import { chooseTheme, useTheme, type Theme } from "../../app/theme.ts";
import { chooseLanguage, useLanguage, useTexts, type Language } from "../../i18n/index.ts";

export function Display() {
  const { settings } = useTexts();
  const theme = useTheme();
  const language = useLanguage();
  const themes: [Theme, string][] = [
    ["system", settings.themeSystem],
    ["light", settings.themeLight],
    ["dark", settings.themeDark],
  ];
  const languages: [Language, string][] = [
    ["ko", "한국어"],
    ["en", "English"],
  ];
  return (
    <>
      <Choices title={settings.theme} options={themes} value={theme} onValue={chooseTheme} />
      <Choices
        title={settings.language}
        options={languages}
        value={language}
        onValue={(value) => void chooseLanguage(value)}
      />
    </>
  );
}

function Choices<T extends string>({
  title,
  options,
  value,
  onValue,
}: {
  title: string;
  options: readonly [T, string][];
  value: T;
  onValue: (value: T) => void;
}) {
  const name = useId();
  const [chosen, setChosen] = useState({ value, of: value });
  // A language takes a moment to load. The selection changes at once.
  if (chosen.of !== value) setChosen({ value, of: value });
  return (
    <section className="card">
      <h2 id={name}>{title}</h2>
      <div className="choices" role="radiogroup" aria-labelledby={name}>
        {options.map(([option, label]) => (
          <label className="choice" key={option}>
            <input
              type="radio"
              name={name}
              value={option}
              checked={option === chosen.value}
              onChange={() => {
                setChosen({ value: option, of: value });
                onValue(option);
              }}
            />
            <span>{label}</span>
          </label>
        ))}
      </div>
    </section>
  );
}
