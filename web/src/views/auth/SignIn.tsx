import { useForm } from "react-hook-form";
import { Link } from "wouter";

import { useActions, useClientState } from "../../app/client.ts";
import { useTexts } from "../../i18n/index.ts";
import { Field } from "../../ui/Field.tsx";
import { errorText } from "../../format/errors.ts";
import { AuthLayout } from "./AuthLayout.tsx";
import { PasswordField } from "./PasswordField.tsx";

export default function SignIn() {
  const texts = useTexts();
  const { auth } = texts;
  const { signIn } = useActions();
  const because = useClientState((state) => state.signedOutBecause);
  const form = useForm({ defaultValues: { login: "", password: "" } });
  const { errors, isSubmitting } = form.formState;
  const reason = because === null ? undefined : because === "expired" ? auth.expired : auth.ended;
  const failure = errors.root?.message ?? reason;

  const submit = form.handleSubmit(async ({ login, password }) => {
    const result = await signIn(login.trim(), password);
    if (result.ok) return;
    const wrong = result.error.code === "unauthenticated" || result.error.code === "invalid";
    form.setError("root", { message: wrong ? auth.wrong : errorText(result.error, texts) });
    form.setFocus("password", { shouldSelect: true });
  });

  return (
    <AuthLayout
      title={auth.signIn}
      foot={
        <>
          {auth.noAccount} <Link href="/signup">{auth.createAccount}</Link>
        </>
      }
    >
      <form className="form" onSubmit={(event) => void submit(event)} noValidate>
        <Field
          label={auth.login}
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          autoFocus
          error={errors.login?.message}
          {...form.register("login", { required: auth.required })}
        />
        <PasswordField
          label={auth.password}
          autoComplete="current-password"
          error={errors.password?.message}
          {...form.register("password", { required: auth.required })}
        />
        <p className="field-note error" role="alert">
          {failure}
        </p>
        <button type="submit" className="button primary wide" disabled={isSubmitting}>
          {auth.signIn}
        </button>
      </form>
    </AuthLayout>
  );
}
