// Short sentences that pass by, and what a screen reader is told.

/** How long a notice stays, in milliseconds. */
const NOTICE_MS = 6_000;
/** Notices shown at once; older ones give way. */
const NOTICES_MAX = 4;

export interface Notice {
  key: number;
  text: string;
}

class Notices {
  shown = $state.raw<readonly Notice[]>([]);
  /** Read aloud, politely. */
  announcement = $state("");
  #nextKey = 1;

  show(text: string): void {
    if (this.shown.some((notice) => notice.text === text)) return;
    const notice = { key: this.#nextKey++, text };
    this.shown = [...this.shown, notice].slice(-NOTICES_MAX);
    setTimeout(() => this.dismiss(notice.key), NOTICE_MS);
  }

  dismiss(key: number): void {
    this.shown = this.shown.filter((notice) => notice.key !== key);
  }

  announce(text: string): void {
    // The same words twice are announced twice only if the text differs.
    this.announcement = this.announcement === text ? `${text}\u00a0` : text;
  }
}

export const notices = new Notices();
