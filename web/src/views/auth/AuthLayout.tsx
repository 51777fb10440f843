import { chooseLanguage, useLanguage, useTexts } from "../../i18n/index.ts";

export function AuthLayout({
  title,
  children,
  foot,
}: {
  title: string;
  children: React.ReactNode;
  foot: React.ReactNode;
}) {
  const { appName, auth } = useTexts();
  const language = useLanguage();
  return (
    <main className="gate">
      <div className="gate-inner scroll">
        <div className="gate-brand">
          <svg viewBox="0 0 56 56" aria-hidden="true">
            <rect width="56" height="56" rx="20" fill="#23201a" />
            <path
              d="M17 16h22a6 6 0 0 1 6 6v10a6 6 0 0 1-6 6H28l-9 7v-7h-2a6 6 0 0 1-6-6V22a6 6 0 0 1 6-6Z"
              fill="#ffe27a"
            />
          </svg>
          <h1>{appName}</h1>
          <p>{auth.tagline}</p>
        </div>
        <section className="gate-card" aria-label={title}>
          <h2>{title}</h2>
          {children}
        </section>
        <p className="gate-foot">{foot}</p>
        <button
          type="button"
          className="text-button"
          lang={language === "ko" ? "en" : "ko"}
          onClick={() => void chooseLanguage(language === "ko" ? "en" : "ko")}
        >
          {language === "ko" ? "English" : "한국어"}
        </button>
      </div>
    </main>
  );
}
