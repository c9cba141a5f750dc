// The REST side: accounts, invitations, rooms. Everything else goes over the socket.

import type { Person, RoomKind } from "./protocol";

/** The server answers within 10 s; beyond this the network has lost it. */
const ANSWER_TIMEOUT_MS = 20_000;

export interface Account extends Person {
  admin?: boolean;
}

export type SignupPolicy = "open" | "invite" | "closed";

export interface SessionInfo {
  user: Account | null;
  /** True while there is no administrator yet. */
  setup: boolean;
  signup: SignupPolicy;
}

/** What an invitation is good for. */
export interface InviteInfo {
  /** The room that it leads to; without one it leads to the server. */
  room?: string;
  room_title?: string;
  invited_by?: string;
  admin: boolean;
}

export interface Invite {
  code: string;
  url: string;
}

export interface Credentials {
  email: string;
  password: string;
  name?: string;
  invite?: string;
}

/** A request that was refused (RFC 9457), or that never came through (`network`). */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly field: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(status: number, code: string, detail: string, field?: string, retryAfterMs?: number) {
    super(detail);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.field = field;
    this.retryAfterMs = retryAfterMs;
  }
}

async function call<Answer>(method: string, path: string, body?: object): Promise<Answer> {
  const request: RequestInit = { method, signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS), credentials: "same-origin" };
  if (body !== undefined) {
    request.headers = { "content-type": "application/json" };
    request.body = JSON.stringify(body);
  }
  let response: Response;
  let text: string;
  try {
    response = await fetch(`/api/v1/${path}`, request);
    text = await response.text();
  } catch {
    throw new ApiError(0, "network", "the server cannot be reached");
  }
  const data = parse(text);
  if (response.ok) return data as Answer;
  const retryAfter = data["retry_after_ms"];
  throw new ApiError(
    response.status,
    typeof data["code"] === "string" ? data["code"] : "internal",
    typeof data["detail"] === "string" ? data["detail"] : response.statusText,
    typeof data["field"] === "string" ? data["field"] : undefined,
    typeof retryAfter === "number" ? retryAfter : undefined,
  );
}

function parse(text: string): Record<string, unknown> {
  if (text === "") return {};
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    // A proxy in between may answer with a page of its own.
    return {};
  }
}

export const api = {
  session: () => call<SessionInfo>("GET", "session"),
  signup: (credentials: Credentials) => call<{ user: Account; room?: string }>("POST", "auth/signup", credentials),
  login: ({ email, password }: Credentials) => call<{ user: Account; room?: string }>("POST", "auth/login", { email, password }),
  logout: () => call<object>("POST", "auth/logout", {}),
  invite: (code: string) => call<InviteInfo>("GET", `invites/${encodeURIComponent(code)}`),
  acceptInvite: (code: string) => call<{ room: string }>("POST", `invites/${encodeURIComponent(code)}`, {}),
  createInvite: (uses: number) => call<Invite>("POST", "invites", { uses }),
  createRoom: (room: { name: string; title?: string; kind: RoomKind; history?: "all" | "since_join" }) =>
    call<{ room: string }>("POST", "rooms", room),
  directRoom: (user: string) => call<{ room: string }>("POST", "rooms", { kind: "direct", user }),
  inviteLink: (room: string, uses: number) => call<Invite>("POST", `rooms/${encodeURIComponent(room)}/invites`, { uses }),
  invitePerson: (room: string, user: string) => call<object>("POST", `rooms/${encodeURIComponent(room)}/invites`, { user }),
  people: (prefix: string) => call<{ users: Person[] }>("GET", `users?limit=8&prefix=${encodeURIComponent(prefix)}`),
};
