/** Avatars: a picture, or the initial on one of eight colours that the ID determines. Groups show two. */
import { memo } from "react";

import { characters, initialOf, toneOf } from "../format/text.ts";

interface AvatarProps {
  id: string;
  name: string;
  size?: number;
  picture?: string | null | undefined;
  /** Overrides the colour that the ID determines. */
  tone?: number;
  /** Show a dot for a user who is online. */
  online?: boolean;
}

export const Avatar = memo(function Avatar({
  id,
  name,
  size = 36,
  picture,
  online = false,
  tone,
}: AvatarProps) {
  return (
    <span
      className="avatar"
      style={
        { "--size": `${size}px`, "--tone": `var(--avatar-${tone ?? toneOf(id)})` } as React.CSSProperties
      }
      aria-hidden="true"
    >
      {picture == null ? initialOf(name) : <img src={picture} alt="" loading="lazy" decoding="async" />}
      {online && <span className="avatar-dot" />}
    </span>
  );
});

export const GroupAvatar = memo(function GroupAvatar({
  id,
  title,
  size = 44,
}: {
  id: string;
  title: string;
  size?: number;
}) {
  const words = title.trim().split(/\s+/);
  const second = words[1] ?? characters(title.trim()).slice(1).join("");
  const part = Math.round(size * 0.6);
  return (
    <span className="avatar-pair" style={{ "--size": `${size}px` } as React.CSSProperties} aria-hidden="true">
      <Avatar id={id} name={title} size={part} />
      <Avatar id={id} name={second || title} size={part} tone={(toneOf(id) + 3) % 8} />
    </span>
  );
});
