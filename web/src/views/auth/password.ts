/** What a form asks of a new password; whether it is too common only the server knows. */
import type { Texts } from "../../i18n/index.ts";

export function newPasswordRules(auth: Texts["auth"]) {
  return { required: auth.needed, minLength: { value: 8, message: auth.passwordShort } };
}
