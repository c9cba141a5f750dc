// Time and chance are arguments, so that the tests can turn the clock and choose the dice.

export type Timer = number;

export interface Clock {
  /** Milliseconds that only grow. */
  now(): number;
  after(ms: number, run: () => void): Timer;
  cancel(timer: Timer): void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  after: (ms, run) => setTimeout(run, ms) as unknown as Timer,
  cancel: (timer) => clearTimeout(timer),
};

/** A clock that stands still until it is told to go on. For tests. */
export class VirtualClock implements Clock {
  #now = 0;
  #next: Timer = 1;
  #due = new Map<Timer, { at: number; run: () => void }>();

  now(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): Timer {
    const timer = this.#next++;
    this.#due.set(timer, { at: this.#now + ms, run });
    return timer;
  }

  cancel(timer: Timer): void {
    this.#due.delete(timer);
  }

  /** Lets time pass; what falls due runs in its order, and what promises wait for follows it. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      const [timer, next] = [...this.#due].sort(([, a], [, b]) => a.at - b.at)[0] ?? [];
      if (timer === undefined || next === undefined || next.at > end) break;
      this.#due.delete(timer);
      this.#now = next.at;
      next.run();
      await settle();
    }
    this.#now = end;
    await settle();
  }
}

/** Lets everything run that waits for nothing but promises. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}
