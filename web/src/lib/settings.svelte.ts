// What this browser remembers of its person's taste.

export type Theme = "auto" | "light" | "dark";

const THEME_KEY = "salon.theme";
const MEMBERS_KEY = "salon.members";
/** From this width on there is room for the members beside the messages. The style sheets know the same widths. */
const WIDE = matchMedia("(min-width: 1080px)");
/** Up to this width the rooms are in a drawer. */
const NARROW = matchMedia("(max-width: 719px)");

class Settings {
  theme = $state<Theme>(parseTheme(localStorage.getItem(THEME_KEY)));
  wide = $state(WIDE.matches);
  narrow = $state(NARROW.matches);
  membersShown = $state(WIDE.matches && localStorage.getItem(MEMBERS_KEY) !== "hidden");

  constructor() {
    NARROW.addEventListener("change", () => (this.narrow = NARROW.matches));
    WIDE.addEventListener("change", () => {
      this.wide = WIDE.matches;
      if (!this.wide) this.membersShown = false;
    });
  }

  chooseTheme(theme: Theme): void {
    this.theme = theme;
    localStorage.setItem(THEME_KEY, theme);
  }

  showMembers(shown: boolean): void {
    this.membersShown = shown;
    if (this.wide) localStorage.setItem(MEMBERS_KEY, shown ? "shown" : "hidden");
  }
}

function parseTheme(text: string | null): Theme {
  return text === "light" || text === "dark" ? text : "auto";
}

export const settings = new Settings();
