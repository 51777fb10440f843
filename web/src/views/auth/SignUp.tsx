import { useForm, type UseFormReturn } from "react-hook-form";
import { Link } from "wouter";

import { useActions } from "../../app/client.ts";
import type { DomainError } from "../../core/index.ts";
import { useTexts, type Texts } from "../../i18n/index.ts";
import { Field } from "../../ui/Field.tsx";
import { hasFieldError, errorText } from "../../format/errors.ts";
import { useAvailability } from "./availability.ts";
import { AuthLayout } from "./AuthLayout.tsx";
import { newPasswordRules } from "./password.ts";
import { PasswordField } from "./PasswordField.tsx";

interface Fields {
  email: string;
  webchatId: string;
  displayName: string;
  password: string;
}

export default function SignUp() {
  const { auth } = useTexts();
  const { form, submit } = useSignUp();
  const { errors, isSubmitting } = form.formState;
  return (
    <AuthLayout
      title={auth.signUp}
      foot={
        <>
          {auth.haveAccount} <Link href="/signin">{auth.goSignIn}</Link>
        </>
      }
    >
      <form className="form" onSubmit={(event) => void submit(event)} noValidate>
        <WebchatIdField form={form} />
        <OtherFields form={form} />
        <p className="field-note error" role="alert">
          {errors.root?.message}
        </p>
        <button type="submit" className="button primary wide" disabled={isSubmitting}>
          {auth.createAccount}
        </button>
      </form>
    </AuthLayout>
  );
}

function useSignUp() {
  const texts = useTexts();
  const { signUp } = useActions();
  const form = useForm<Fields>({
    mode: "onTouched",
    defaultValues: { email: "", webchatId: "", displayName: "", password: "" },
  });
  const submit = form.handleSubmit(async (fields) => {
    const result = await signUp({
      email: fields.email.trim(),
      webchatId: fields.webchatId.trim().toLowerCase(),
      displayName: fields.displayName.trim(),
      password: fields.password,
    });
    if (!result.ok) showError(form, result.error, texts);
  });
  return { form, submit };
}

function OtherFields({ form }: { form: UseFormReturn<Fields> }) {
  const texts = useTexts();
  const { auth } = texts;
  const { errors } = form.formState;
  return (
    <>
      <Field
        label={auth.displayName}
        autoComplete="name"
        error={errors.displayName?.message}
        note={auth.nameHint}
        {...form.register("displayName", { validate: (value) => checkName(value, texts) })}
      />
      <Field
        label={auth.email}
        type="email"
        inputMode="email"
        autoComplete="email"
        error={errors.email?.message}
        {...form.register("email", {
          required: auth.required,
          pattern: { value: /^\S+@\S+\.\S+$/, message: auth.emailBad },
        })}
      />
      <PasswordField
        label={auth.password}
        autoComplete="new-password"
        error={errors.password?.message}
        note={auth.passwordHint}
        {...form.register("password", newPasswordRules(auth))}
      />
    </>
  );
}

function WebchatIdField({ form }: { form: UseFormReturn<Fields> }) {
  const { auth } = useTexts();
  const value = form.watch("webchatId").trim().toLowerCase();
  const state = useAvailability(value);
  const error = form.formState.errors.webchatId?.message;
  const notes = {
    none: auth.idHint,
    bad: value.length < 3 ? auth.idHint : auth.idBad,
    checking: auth.idChecking,
    free: auth.idFree,
    taken: auth.idTaken,
    unknown: auth.idHint,
  };
  const failed = state === "taken" || (state === "bad" && value.length >= 3);
  const tone =
    failed || (error !== undefined && state !== "free") ? "error" : state === "free" ? "good" : "plain";
  return (
    <Field
      label={auth.webchatId}
      autoComplete="username"
      autoCapitalize="none"
      spellCheck={false}
      autoFocus
      tone={tone}
      note={state === "none" || state === "unknown" ? (error ?? notes[state]) : notes[state]}
      {...form.register("webchatId", {
        required: auth.required,
        pattern: { value: /^\s*[a-z0-9_.]{3,20}\s*$/i, message: auth.idBad },
      })}
    />
  );
}

function checkName(value: string, { auth }: Texts): true | string {
  const name = value.trim();
  if (name === "") return auth.required;
  return name.length <= 60 || auth.nameLong;
}

function showError(form: UseFormReturn<Fields>, error: DomainError, texts: Texts): void {
  const { auth } = texts;
  const messages: [keyof Fields, string, string][] = [
    ["webchatId", "webchat_id", error.code === "conflict" ? auth.idTaken : auth.idBad],
    ["email", "email", error.code === "conflict" ? auth.emailTaken : auth.emailBad],
    ["displayName", "display_name", auth.nameLong],
    ["password", "password", auth.passwordWeak],
  ];
  const about = messages.filter(([, field]) => hasFieldError(error, field));
  for (const [name, , message] of about.reverse()) form.setError(name, { message }, { shouldFocus: true });
  if (about.length === 0) form.setError("root", { message: errorText(error, texts) });
}
