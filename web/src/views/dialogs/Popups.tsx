import { lazy } from "react";
import { Menu, MenuItem, Popover, useMenuStore, usePopoverStore } from "@ariakit/react";

import { closePopup, type PopupRequest } from "../../app/overlay.ts";
import { useTexts } from "../../i18n/index.ts";
import { Icon } from "../../ui/Icon.tsx";

const EmojiPanel = lazy(() => import("./EmojiPanel.tsx"));

export default function Popups({ request }: { request: PopupRequest }) {
  return request.kind === "menu" ? <MenuPopup {...request} /> : <EmojiPopup {...request} />;
}

function closeWhen(open: boolean): void {
  if (!open) closePopup();
}

type MenuRequest = Extract<PopupRequest, { kind: "menu" }>;

function MenuPopup({ anchor, label, items }: MenuRequest) {
  const menu = useMenuStore({
    open: true,
    setOpen: closeWhen,
    placement: "bottom-end",
  });
  return (
    <section aria-label={label}>
      <Menu
        store={menu}
        className="menu"
        aria-label={label}
        portal={false}
        fixed
        modal
        gutter={6}
        getAnchorRect={() => anchor}
        autoFocusOnShow
        autoFocusOnHide={false}
      >
        {items.map(({ icon, label: text, danger, run }) => (
          <MenuItem
            key={text}
            className={danger === true ? "menu-item danger" : "menu-item"}
            onClick={() => {
              closePopup();
              run();
            }}
          >
            <Icon name={icon} />
            {text}
          </MenuItem>
        ))}
      </Menu>
    </section>
  );
}

type EmojiRequest = Extract<PopupRequest, { kind: "emoji" }>;

function EmojiPopup({ anchor, onPick }: EmojiRequest) {
  const { emoji } = useTexts();
  const popover = usePopoverStore({ open: true, setOpen: closeWhen, placement: "top" });
  return (
    <section aria-label={emoji.label}>
      <Popover
        store={popover}
        className="popover"
        aria-label={emoji.label}
        portal={false}
        fixed
        modal
        gutter={6}
        getAnchorRect={() => anchor}
        autoFocusOnHide={false}
      >
        <EmojiPanel onPick={onPick} />
      </Popover>
    </section>
  );
}
