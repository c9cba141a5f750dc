// Where in the page one is: the part of the address behind `#`. The server never sees it, so codes may stand there.

export type Route =
  { name: "home" } | { name: "setup"; code: string } | { name: "invite"; code: string } | { name: "room"; room: string };

export function parseRoute(hash: string): Route {
  const [name, value] = hash.replace(/^#?\/?/, "").split("/");
  if (value === undefined || value === "") return { name: "home" };
  const decoded = decode(value);
  switch (name) {
    case "setup":
    case "invite":
      return { name, code: decoded };
    case "r":
      return { name: "room", room: decoded };
    default:
      return { name: "home" };
  }
}

function decode(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

class Router {
  current = $state<Route>(parseRoute(location.hash));

  constructor() {
    addEventListener("hashchange", () => (this.current = parseRoute(location.hash)));
  }

  openRoom(room: string): void {
    location.hash = `#/r/${encodeURIComponent(room)}`;
  }

  /** Leaves without a trace in the history: a used code must not be opened again by going back. */
  replace(hash: string): void {
    history.replaceState(null, "", hash === "" ? location.pathname : hash);
    this.current = parseRoute(hash);
  }
}

export const router = new Router();
