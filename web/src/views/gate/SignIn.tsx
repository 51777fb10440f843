import { useForm } from "react-hook-form";
import { Link } from "wouter";

import { useActions, useClientState } from "../../app/client.ts";
import { useTexts } from "../../i18n/index.ts";
import { Field } from "../../ui/Field.tsx";
import { errorText } from "../../format/errors.ts";
import { GateFrame } from "./GateFrame.tsx";
import { PasswordField } from "./PasswordField.tsx";

export default function SignIn() {
  const texts = useTexts();
  const { gate } = texts;
  const { signIn } = useActions();
  const because = useClientState((state) => state.signedOutBecause);
  const form = useForm({ defaultValues: { login: "", password: "" } });
  const { errors, isSubmitting } = form.formState;
  const reason = because === null ? undefined : because === "expired" ? gate.expired : gate.ended;
  const failure = errors.root?.message ?? reason;

  const submit = form.handleSubmit(async ({ login, password }) => {
    const result = await signIn(login.trim(), password);
    if (result.ok) return;
    const wrong = result.error.code === "unauthenticated" || result.error.code === "invalid";
    form.setError("root", { message: wrong ? gate.wrong : errorText(result.error, texts) });
    form.setFocus("password", { shouldSelect: true });
  });

  return (
    <GateFrame
      title={gate.signIn}
      foot={
        <>
          {gate.noAccount} <Link href="/signup">{gate.createAccount}</Link>
        </>
      }
    >
      <form className="form" onSubmit={(event) => void submit(event)} noValidate>
        <Field
          label={gate.login}
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          autoFocus
          error={errors.login?.message}
          {...form.register("login", { required: gate.needed })}
        />
        <PasswordField
          label={gate.password}
          autoComplete="current-password"
          error={errors.password?.message}
          {...form.register("password", { required: gate.needed })}
        />
        <p className="field-note error" role="alert">
          {failure}
        </p>
        <button type="submit" className="button primary wide" disabled={isSubmitting}>
          {gate.signIn}
        </button>
      </form>
    </GateFrame>
  );
}
