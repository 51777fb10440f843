import { useRef } from "react";
import { useForm } from "react-hook-form";

import { useActions, useMe, useProfile } from "../../app/client.ts";
import { showFailure } from "../../app/notices.ts";
import { toast } from "../../app/overlay.ts";
import { useTexts } from "../../i18n/index.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import { TextButton } from "../../ui/Button.tsx";
import { Field } from "../../ui/Field.tsx";
import { isImage } from "../room/files.ts";
import { errorText } from "../../format/errors.ts";

export function MyProfile() {
  return (
    <section className="card">
      <ProfilePicture />
      <ProfileForm />
    </section>
  );
}

function ProfilePicture() {
  const texts = useTexts();
  const { settings } = texts;
  const { upload, updateProfile } = useActions();
  const me = useMe();
  const profile = useProfile(me.user_id);
  const input = useRef<HTMLInputElement>(null);
  const change = async (file: File | undefined) => {
    if (!file) return;
    if (!isImage(file.type)) {
      toast(settings.photoBad);
      return;
    }
    const result = await upload(file).done;
    if (!result.ok) {
      toast(
        ["unsupported_type", "invalid"].includes(result.error.code)
          ? settings.photoBad
          : errorText(result.error, texts),
      );
      return;
    }
    if (await showFailure(updateProfile({ avatarAttachmentId: result.attachment.attachment_id })))
      toast(texts.saved);
  };
  return (
    <div className="avatar-edit">
      <Avatar
        id={me.user_id}
        name={profile?.display_name ?? me.display_name}
        size={80}
        picture={profile?.avatar_url}
      />
      <div className="card-foot">
        <input
          ref={input}
          type="file"
          accept="image/*"
          hidden
          aria-label={settings.changePhoto}
          onChange={(event) => {
            void change(event.target.files?.[0]);
            event.target.value = "";
          }}
        />
        <button type="button" className="button" onClick={() => input.current?.click()}>
          {settings.changePhoto}
        </button>
        {profile?.avatar_url != null && (
          <TextButton danger onClick={() => void showFailure(updateProfile({ avatarAttachmentId: null }))}>
            {settings.removePhoto}
          </TextButton>
        )}
      </div>
    </div>
  );
}

function ProfileForm() {
  const texts = useTexts();
  const { settings, auth } = texts;
  const { updateProfile } = useActions();
  const me = useMe();
  const profile = useProfile(me.user_id);
  const form = useForm({
    values: { name: profile?.display_name ?? me.display_name, status: profile?.status_message ?? "" },
    resetOptions: { keepDirtyValues: true },
  });
  const { errors, isSubmitting } = form.formState;
  const submit = form.handleSubmit(async ({ name, status }) => {
    const result = await updateProfile({ displayName: name.trim(), statusMessage: status.trim() });
    if (result.ok) {
      form.reset({ name: name.trim(), status: status.trim() });
      toast(texts.saved);
    } else {
      form.setError("status", { message: errorText(result.error, texts) });
    }
  });
  return (
    <form className="form" noValidate onSubmit={(event) => void submit(event)}>
      <Field
        label={settings.name}
        autoComplete="name"
        error={errors.name?.message}
        note={auth.nameHint}
        {...form.register("name", {
          validate: (value) =>
            value.trim() === "" ? auth.required : value.trim().length <= 60 || auth.nameLong,
        })}
      />
      <Field
        label={settings.status}
        maxLength={200}
        error={errors.status?.message}
        note={settings.statusHint}
        {...form.register("status")}
      />
      <div className="card-foot">
        <button type="submit" className="button primary" disabled={isSubmitting}>
          {texts.save}
        </button>
      </div>
    </form>
  );
}
