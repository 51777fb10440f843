import { useForm } from "react-hook-form";
import { useLocation } from "wouter";

import { useActions, useMe } from "../../app/client.ts";
import { openDialog, toast } from "../../app/overlay.ts";
import { paths } from "../../app/paths.ts";
import { useTexts } from "../../i18n/index.ts";
import { errorText, hasFieldError } from "../../format/errors.ts";
import { newPasswordRules } from "../auth/password.ts";
import { PasswordField } from "../auth/PasswordField.tsx";

export function Account() {
  const { settings } = useTexts();
  const me = useMe();
  return (
    <>
      <section className="card">
        <dl className="facts">
          <dt>{settings.id}</dt>
          <dd>{me.webchat_id}</dd>
          <dt>{settings.email}</dt>
          <dd>{me.email}</dd>
        </dl>
        <p className="card-text">{settings.idHelp}</p>
      </section>
      <ChangePassword />
      <CloseAccount />
    </>
  );
}

function ChangePassword() {
  const texts = useTexts();
  const { settings, auth } = texts;
  const { changePassword } = useActions();
  const form = useForm({ defaultValues: { current: "", next: "" } });
  const { errors, isSubmitting } = form.formState;
  const submit = form.handleSubmit(async ({ current, next }) => {
    const result = await changePassword(current, next);
    if (result.ok) {
      form.reset();
      toast(settings.passwordChanged);
    } else if (result.error.code === "forbidden") {
      form.setError("current", { message: settings.passwordWrong }, { shouldFocus: true });
    } else if (hasFieldError(result.error, "new_password")) {
      form.setError("next", { message: auth.passwordWeak }, { shouldFocus: true });
    } else {
      form.setError("next", { message: errorText(result.error, texts) });
    }
  });
  return (
    <section className="card">
      <h2>{settings.password}</h2>
      <form className="form" noValidate onSubmit={(event) => void submit(event)}>
        <PasswordField
          label={settings.currentPassword}
          autoComplete="current-password"
          error={errors.current?.message}
          {...form.register("current", { required: auth.required })}
        />
        <PasswordField
          label={settings.newPassword}
          autoComplete="new-password"
          error={errors.next?.message}
          note={auth.passwordHint}
          {...form.register("next", newPasswordRules(auth))}
        />
        <div className="card-foot">
          <button type="submit" className="button primary" disabled={isSubmitting}>
            {settings.password}
          </button>
        </div>
      </form>
    </section>
  );
}

function CloseAccount() {
  const texts = useTexts();
  const { settings, auth } = texts;
  const { closeAccount } = useActions();
  const [, go] = useLocation();
  const form = useForm({ defaultValues: { password: "" } });
  const { errors } = form.formState;
  const close = async (password: string) => {
    const result = await closeAccount(password);
    if (result.ok) {
      go(paths.rooms);
      return;
    }
    const wrong = result.error.code === "forbidden";
    form.setError("password", {
      message: wrong ? settings.passwordWrong : errorText(result.error, texts),
    });
  };
  const submit = form.handleSubmit(({ password }) => {
    openDialog({
      kind: "confirm",
      title: settings.closeAccount,
      text: settings.closeText,
      action: settings.closeAccount,
      danger: true,
      run: () => close(password),
    });
  });
  return (
    <section className="card">
      <h2>{settings.closeAccount}</h2>
      <p className="card-text">{settings.closeText}</p>
      <form className="form" noValidate onSubmit={(event) => void submit(event)}>
        <PasswordField
          label={settings.closeConfirm}
          autoComplete="current-password"
          error={errors.password?.message}
          {...form.register("password", { required: auth.required })}
        />
        <div className="card-foot">
          <button type="submit" className="button danger">
            {settings.closeAccount}
          </button>
        </div>
      </form>
    </section>
  );
}
