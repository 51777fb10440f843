/** Client-side rules for a new password. Only the server knows whether it is too common. */
import type { Texts } from "../../i18n/index.ts";

export function newPasswordRules(auth: Texts["auth"]) {
  return { required: auth.required, minLength: { value: 8, message: auth.passwordShort } };
}
