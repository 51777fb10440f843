import { useId } from "react";

interface FieldLook {
  label: string;
  /** A word of help, or what is wrong. */
  note?: string | undefined;
  tone?: "plain" | "error" | "good";
  children?: React.ReactNode;
}

export function Field({
  label,
  note,
  tone = "plain",
  children,
  ...input
}: FieldLook & Omit<React.ComponentProps<"input">, "id" | "className">) {
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
        {note}
      </p>
    </div>
  );
}
