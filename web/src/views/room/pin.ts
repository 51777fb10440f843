/** Holds the log at its end while rows come and are measured, frame by frame, until it stands still or a hand moves it. */
const STILL_FRAMES = 8;
const MOST_FRAMES = 180;

export interface Pin {
  hold: (scroller: HTMLElement | null) => void;
  release: () => void;
  holds: () => boolean;
}

export function createPin(): Pin {
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
    if (still < STILL_FRAMES && left > 0) frame = requestAnimationFrame(step);
  }

  return {
    hold: (scroller) => {
      element = scroller;
      still = 0;
      left = MOST_FRAMES;
      if (frame === 0) step();
    },
    release: () => {
      cancelAnimationFrame(frame);
      frame = 0;
    },
    holds: () => frame !== 0,
  };
}

const HANDS = ["wheel", "touchstart", "pointerdown", "keydown"] as const;

/** Calls `moved` for whatever a person scrolls with. */
export function watchHands(element: HTMLElement, moved: () => void): () => void {
  for (const hand of HANDS) element.addEventListener(hand, moved, { passive: true });
  return () => {
    for (const hand of HANDS) element.removeEventListener(hand, moved);
  };
}

/** Goes to a place again each frame while rows around it are measured, until it stands still or a hand moves it. */
export function holdPlace(scroller: HTMLElement, go: () => void): void {
  let before = "";
  let still = 0;
  let left = MOST_FRAMES / 3;
  const forget = watchHands(scroller, () => {
    left = 0;
  });
  const step = () => {
    if (left <= 0 || still >= STILL_FRAMES || !scroller.isConnected) {
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
