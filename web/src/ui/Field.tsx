import { useId } from "react";

interface FieldProps {
  label: string;
  /** A short help text. */
  note?: string | undefined;
  /** An error text that replaces the note. */
  error?: string | undefined;
  tone?: "plain" | "error" | "good";
  children?: React.ReactNode;
}

export function Field({
  label,
  note,
  error,
  tone = error === undefined ? "plain" : "error",
  children,
  ...input
}: FieldProps & Omit<React.ComponentProps<"input">, "id" | "className">) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <div className={children === undefined ? undefined : "input-row"}>
        <input
          id={id}
          className="input"
          aria-describedby={`${id}-note`}
          aria-invalid={tone === "error" ? true : undefined}
          {...input}
        />
        {children}
      </div>
      <p id={`${id}-note`} className={`field-note ${tone}`} aria-live="polite">
        {error ?? note}
      </p>
    </div>
  );
}
