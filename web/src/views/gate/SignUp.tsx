import { useForm, type UseFormReturn } from "react-hook-form";
import { Link } from "wouter";

import { useActions } from "../../app/client.ts";
import type { DomainError } from "../../core/index.ts";
import { useTexts, type Texts } from "../../i18n/index.ts";
import { Field } from "../../ui/Field.tsx";
import { hasFieldError, errorText } from "../../format/errors.ts";
import { useAvailability } from "./availability.ts";
import { GateFrame } from "./GateFrame.tsx";
import { newPasswordRules } from "./password.ts";
import { PasswordField } from "./PasswordField.tsx";

interface Fields {
  email: string;
  webchatId: string;
  displayName: string;
  password: string;
}

export default function SignUp() {
  const { gate } = useTexts();
  const { form, submit } = useSignUp();
  const { errors, isSubmitting } = form.formState;
  return (
    <GateFrame
      title={gate.signUp}
      foot={
        <>
          {gate.haveAccount} <Link href="/signin">{gate.goSignIn}</Link>
        </>
      }
    >
      <form className="form" onSubmit={(event) => void submit(event)} noValidate>
        <IdField form={form} />
        <PersonFields form={form} />
        <p className="field-note error" role="alert">
          {errors.root?.message}
        </p>
        <button type="submit" className="button primary wide" disabled={isSubmitting}>
          {gate.createAccount}
        </button>
      </form>
    </GateFrame>
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

function PersonFields({ form }: { form: UseFormReturn<Fields> }) {
  const texts = useTexts();
  const { gate } = texts;
  const { errors } = form.formState;
  return (
    <>
      <Field
        label={gate.displayName}
        autoComplete="name"
        error={errors.displayName?.message}
        note={gate.nameHint}
        {...form.register("displayName", { validate: (value) => checkName(value, texts) })}
      />
      <Field
        label={gate.email}
        type="email"
        inputMode="email"
        autoComplete="email"
        error={errors.email?.message}
        {...form.register("email", {
          required: gate.needed,
          pattern: { value: /^\S+@\S+\.\S+$/, message: gate.emailBad },
        })}
      />
      <PasswordField
        label={gate.password}
        autoComplete="new-password"
        error={errors.password?.message}
        note={gate.passwordHint}
        {...form.register("password", newPasswordRules(gate))}
      />
    </>
  );
}

function IdField({ form }: { form: UseFormReturn<Fields> }) {
  const { gate } = useTexts();
  const value = form.watch("webchatId").trim().toLowerCase();
  const state = useAvailability(value);
  const error = form.formState.errors.webchatId?.message;
  const notes = {
    none: gate.idHint,
    bad: value.length < 3 ? gate.idHint : gate.idBad,
    checking: gate.idChecking,
    free: gate.idFree,
    taken: gate.idTaken,
    unknown: gate.idHint,
  };
  const failed = state === "taken" || (state === "bad" && value.length >= 3);
  const tone =
    failed || (error !== undefined && state !== "free") ? "error" : state === "free" ? "good" : "plain";
  return (
    <Field
      label={gate.webchatId}
      autoComplete="username"
      autoCapitalize="none"
      spellCheck={false}
      autoFocus
      tone={tone}
      note={state === "none" || state === "unknown" ? (error ?? notes[state]) : notes[state]}
      {...form.register("webchatId", {
        required: gate.needed,
        pattern: { value: /^\s*[a-z0-9_.]{3,20}\s*$/i, message: gate.idBad },
      })}
    />
  );
}

function checkName(value: string, { gate }: Texts): true | string {
  const name = value.trim();
  if (name === "") return gate.needed;
  return name.length <= 60 || gate.nameLong;
}

function showError(form: UseFormReturn<Fields>, error: DomainError, texts: Texts): void {
  const { gate } = texts;
  const messages: [keyof Fields, string, string][] = [
    ["webchatId", "webchat_id", error.code === "conflict" ? gate.idTaken : gate.idBad],
    ["email", "email", error.code === "conflict" ? gate.emailTaken : gate.emailBad],
    ["displayName", "display_name", gate.nameLong],
    ["password", "password", gate.passwordWeak],
  ];
  const about = messages.filter(([, field]) => hasFieldError(error, field));
  for (const [name, , message] of about.reverse()) form.setError(name, { message }, { shouldFocus: true });
  if (about.length === 0) form.setError("root", { message: errorText(error, texts) });
}
