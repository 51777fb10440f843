import { Icon, type IconName } from "./Icon.tsx";

type ButtonProps = Omit<React.ComponentProps<"button">, "type" | "aria-label">;

export function IconButton({
  icon,
  label,
  className = "",
  ...rest
}: ButtonProps & { icon: IconName; label: string }) {
  return (
    <button type="button" className={`icon-button ${className}`} aria-label={label} title={label} {...rest}>
      <Icon name={icon} />
    </button>
  );
}

export function TextButton({ danger = false, ...rest }: ButtonProps & { danger?: boolean }) {
  return <button type="button" className={danger ? "text-button danger" : "text-button"} {...rest} />;
}
