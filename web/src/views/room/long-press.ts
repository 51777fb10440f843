import { useRef } from "react";

const PRESS_MS = 450;
const SLIP = 10;

/** Detects a long press, on systems with and without a native context menu. */
export function useLongPress(act: () => void) {
  const timer = useRef<number | undefined>(undefined);
  const start = useRef({ x: 0, y: 0 });
  const stop = () => window.clearTimeout(timer.current);
  return {
    onPointerDown: (event: React.PointerEvent) => {
      if (event.pointerType === "mouse") return;
      start.current = { x: event.clientX, y: event.clientY };
      stop();
      timer.current = window.setTimeout(act, PRESS_MS);
    },
    onPointerMove: (event: React.PointerEvent) => {
      const { x, y } = start.current;
      if (Math.hypot(event.clientX - x, event.clientY - y) > SLIP) stop();
    },
    onPointerUp: stop,
    onPointerCancel: stop,
    onContextMenu: (event: React.MouseEvent) => {
      if (event.nativeEvent instanceof PointerEvent && event.nativeEvent.pointerType === "touch") {
        event.preventDefault();
      }
    },
  };
}
