// Actions for signing up, in and out, and for devices, the password and the profile.
import type { AccountActions } from "./index.ts";
import { done, paged } from "./context.ts";
import type { Context } from "./context.ts";

export function accountActions({ api, session, signedIn, signedOut }: Context): AccountActions {
  return {
    async signUp({ email, password, webchatId, displayName }) {
      const body = { email, password, webchat_id: webchatId, display_name: displayName };
      const result = await api.call("post", "/api/auth/signup", { body });
      if (!result.ok) return result;
      signedIn(result.value);
      return { ok: true, user: result.value };
    },
    async signIn(login, password) {
      const result = await api.call("post", "/api/auth/login", { body: { login, password } });
      if (!result.ok) return result;
      signedIn(result.value);
      return { ok: true, user: result.value };
    },
    async signOut() {
      const result = await api.call("post", "/api/auth/logout");
      if (result.ok) signedOut(null);
      return done(result);
    },
    async isWebchatIdFree(webchatId) {
      const result = await api.call("get", "/api/auth/available", { query: { webchat_id: webchatId } });
      return result.ok ? { ok: true, available: result.value.available } : result;
    },
    async listSessions(cursor) {
      const query = cursor === undefined ? {} : { cursor };
      return paged(await api.call("get", "/api/auth/sessions", { query }));
    },
    async revokeSession(sessionId) {
      const path = { session_id: sessionId };
      return done(await api.call("delete", "/api/auth/sessions/{session_id}", { path }));
    },
    async revokeOthers() {
      return done(await api.call("delete", "/api/auth/sessions"));
    },
    async changePassword(current, next) {
      const body = { current_password: current, new_password: next };
      return done(await api.call("post", "/api/auth/password", { body }));
    },
    async closeAccount(password) {
      const result = await api.call("delete", "/api/auth/me", { body: { password } });
      if (result.ok) signedOut("closed");
      return done(result);
    },
    async updateProfile({ displayName, statusMessage, avatarAttachmentId }) {
      const body = {
        ...(displayName === undefined ? {} : { display_name: displayName }),
        ...(statusMessage === undefined ? {} : { status_message: statusMessage }),
        ...(avatarAttachmentId === undefined ? {} : { avatar_attachment_id: avatarAttachmentId }),
      };
      const result = await api.call("patch", "/api/social/profiles/me", { body });
      if (!result.ok) return result;
      session()?.userState.setProfile(result.value);
      return { ok: true, profile: result.value };
    },
  };
}
