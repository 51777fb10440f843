/** What a form asks of a new password; whether it is too common only the server knows. */
import type { Texts } from "../../i18n/index.ts";

export function newPasswordRules(gate: Texts["gate"]) {
  return { required: gate.needed, minLength: { value: 8, message: gate.passwordShort } };
}
