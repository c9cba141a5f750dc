// Whether somebody is looking: only what was looked at is read.

/** Without a key, a click or a movement for this long, a person is away. */
const IDLE_AFTER_MS = 5 * 60_000;
const IDLE_CHECK_MS = 15_000;

class Attention {
  /** The window is in front and has the focus. */
  here = $state(isHere());
  idle = $state(false);
  #lastSign = performance.now();

  constructor() {
    const look = () => {
      this.here = isHere();
      if (this.here) this.#sign();
    };
    for (const event of ["focus", "blur", "pageshow", "pagehide"]) addEventListener(event, look);
    document.addEventListener("visibilitychange", look);
    for (const event of ["keydown", "pointerdown", "pointermove", "wheel"]) {
      addEventListener(event, () => this.#sign(), { passive: true, capture: true });
    }
    setInterval(() => {
      this.idle = performance.now() - this.#lastSign > IDLE_AFTER_MS;
    }, IDLE_CHECK_MS);
  }

  #sign(): void {
    this.#lastSign = performance.now();
    if (this.idle) this.idle = false;
  }
}

function isHere(): boolean {
  return document.visibilityState === "visible" && document.hasFocus();
}

export const attention = new Attention();
