/** Keeps a scroll position, frame by frame, while rows are measured, until it is stable or the user scrolls. */
const STABLE_FRAMES = 8;
const MAX_FRAMES = 180;

export interface EndLock {
  lock: (scroller: HTMLElement | null) => void;
  release: () => void;
  active: () => boolean;
}

export function createEndLock(): EndLock {
  let element: HTMLElement | null = null;
  let frame = 0;
  let still = 0;
  let left = 0;

  function step(): void {
    frame = 0;
    if (!element) return;
    const end = element.scrollHeight - element.clientHeight;
    const there = Math.abs(end - element.scrollTop) <= 1;
    if (!there) element.scrollTop = end;
    still = there ? still + 1 : 0;
    left -= 1;
    if (still < STABLE_FRAMES && left > 0) frame = requestAnimationFrame(step);
  }

  return {
    lock: (scroller) => {
      element = scroller;
      still = 0;
      left = MAX_FRAMES;
      if (frame === 0) step();
    },
    release: () => {
      cancelAnimationFrame(frame);
      frame = 0;
    },
    active: () => frame !== 0,
  };
}

const USER_SCROLL_EVENTS = ["wheel", "touchstart", "pointerdown", "keydown"] as const;

/** Call `moved` on any input that scrolls. */
export function onUserScroll(element: HTMLElement, moved: () => void): () => void {
  for (const hand of USER_SCROLL_EVENTS) element.addEventListener(hand, moved, { passive: true });
  return () => {
    for (const hand of USER_SCROLL_EVENTS) element.removeEventListener(hand, moved);
  };
}

/** Call `go` in each frame until the position is stable or the user scrolls. */
export function keepPosition(scroller: HTMLElement, go: () => void): void {
  let before = "";
  let still = 0;
  let left = MAX_FRAMES / 3;
  const forget = onUserScroll(scroller, () => {
    left = 0;
  });
  const step = () => {
    if (left <= 0 || still >= STABLE_FRAMES || !scroller.isConnected) {
      forget();
      return;
    }
    go();
    const now = `${scroller.scrollTop} ${scroller.scrollHeight}`;
    still = now === before ? still + 1 : 0;
    before = now;
    left -= 1;
    requestAnimationFrame(step);
  };
  step();
}
