import { useState } from "react";

import { useTexts } from "../../i18n/index.ts";
import { IconButton } from "../../ui/Button.tsx";
import { Field } from "../../ui/Field.tsx";

export function PasswordField(props: Omit<React.ComponentProps<typeof Field>, "type" | "children">) {
  const [shown, setShown] = useState(false);
  const { auth } = useTexts();
  return (
    <Field {...props} type={shown ? "text" : "password"} spellCheck={false} autoCapitalize="none">
      <IconButton
        icon={shown ? "eyeOff" : "eye"}
        label={auth.showPassword}
        aria-pressed={shown}
        onClick={() => setShown(!shown)}
      />
    </Field>
  );
}
