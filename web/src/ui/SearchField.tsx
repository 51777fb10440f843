import { Icon } from "./Icon.tsx";
import { IconButton } from "./Button.tsx";

export function SearchField({
  label,
  value,
  onValue,
  clearLabel,
  ...rest
}: { label: string; value: string; onValue: (value: string) => void; clearLabel: string } & Omit<
  React.ComponentProps<"input">,
  "value" | "onChange" | "type"
>) {
  return (
    <div className="search-field">
      <Icon name="search" />
      <input
        type="search"
        enterKeyHint="search"
        autoComplete="off"
        spellCheck={false}
        aria-label={label}
        placeholder={label}
        value={value}
        onChange={(event) => onValue(event.target.value)}
        {...rest}
      />
      {value !== "" && <IconButton icon="close" label={clearLabel} onClick={() => onValue("")} />}
    </div>
  );
}
