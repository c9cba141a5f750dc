// The frames of `salon.v1.json`: the names are the protocol's, so that its document can be read beside this file.

export interface Position {
  epoch: string;
  seq: number;
}

export interface Person {
  id: string;
  name: string;
  email?: string;
  guest?: boolean;
}

export type RoomKind = "public" | "private" | "direct";
/** `invited`, `banned` and `none` are how one stands to a room that one does not belong to yet. */
export type Role = "owner" | "moderator" | "member" | "invited" | "banned" | "none";
export type Status = "online" | "away" | "busy" | "offline";

export interface Quote {
  id: string;
  user: string;
  name: string;
  excerpt: string;
}

export interface Reaction {
  emoji: string;
  count: number;
  mine?: boolean;
}

interface EntryHeader {
  room: string;
  epoch: string;
  seq: number;
  timestamp: string;
  user: string;
  name: string;
}

export interface MessageData extends EntryHeader {
  id: string;
  content: string;
  client_id?: string;
  reply_to?: Quote;
  mentions?: string[];
  edited_at?: string;
  deleted?: boolean;
  reactions?: Reaction[];
}

export type MemberChange = "joined" | "left" | "invited" | "removed" | "banned" | "role";

/** What an entry of one's own log is about. */
export interface About {
  room?: string;
  title?: string;
  kind?: RoomKind;
  seq?: number;
  id?: string;
  unread?: number;
  text?: string;
}

export interface EntryData {
  message: MessageData;
  edit: EntryHeader & { id: string; content: string };
  delete: EntryHeader & { id: string };
  react: EntryHeader & { id: string; emoji: string; remove?: boolean };
  member: EntryHeader & { target: string; target_name: string; change: MemberChange; role?: Role };
  room: EntryHeader & { title?: string; topic?: string; archived?: boolean };
  call: EntryHeader & { call: string; state: string };
  room_added: EntryHeader & { about: About };
  room_removed: EntryHeader & { about: About };
  mention: EntryHeader & { about: About };
  notice: EntryHeader & { about: About };
}

type Tagged<Map> = { [Name in keyof Map]: { event: Name; data: Map[Name] } }[keyof Map];

/** A durable thing in a room's log. `unknown` has a position that has to be counted, and nothing else for us. */
export type Entry =
  Tagged<EntryData> | { event: "read"; data: EntryHeader & { about: About } } | { event: "unknown"; data: EntryHeader };

export interface Welcome {
  session: string;
  user: Person;
  heartbeat_ms: number;
  limits: Limits;
  me: Position;
}

export interface Limits {
  frame_bytes: number;
  content_bytes: number;
  commands_in_flight: number;
}

export interface PresenceData {
  user?: string;
  name?: string;
  status?: Status;
  text?: string;
  room?: string;
  change?: "came" | "went";
  online?: number;
  members?: number;
}

export interface EphemeralData {
  caught_up: { room: string; seq: number };
  presence: PresenceData;
  typing: { room: string; user: string; name: string; typing: boolean };
  mark: { room: string; user: string; seq: number };
  activity: { room: string; seq: number; unread: number; mentions: number };
}

/** Best effort, never in the log. `mark` is the ephemeral `read`: the protocol tells the two apart by the epoch. */
export type Ephemeral = Tagged<EphemeralData>;

export interface JoinAck extends Position {
  room: string;
  role: Role;
  gap: boolean;
  members: number;
  online: number;
  unread: number;
}

export interface MessageAck extends Position {
  room: string;
  id: string;
  timestamp: string;
  duplicate: boolean;
}

export interface HistoryPage {
  room: string;
  /** Oldest first. */
  messages: MessageData[];
  prev?: string;
  next?: string;
  /** The position at which the page was read, where the server says so. */
  seq?: number;
}

export interface RoomSummary {
  room: string;
  title: string;
  kind: RoomKind;
  role: Role;
  seq: number;
  unread: number;
  mentions: number;
  last?: MessageData;
  topic?: string;
  archived?: boolean;
  members?: number;
  peer?: string;
}

export interface MemberSummary {
  user: string;
  name: string;
  role: Role;
  status: Status;
}

type Empty = Record<string, never>;
interface ChangeAck {
  room: string;
  seq?: number;
  duplicate: boolean;
}

/** Every command this page sends, with what it carries and what acknowledges it. */
export interface Commands {
  join: { data: { room: string; since?: Position; last?: number }; ack: JoinAck };
  leave: { data: { room: string }; ack: { room: string } };
  part: { data: { room: string }; ack: { room: string; seq: number } };
  message: { data: { room: string; content: string; client_id: string; reply_to?: string }; ack: MessageAck };
  edit: { data: { room: string; id: string; content: string }; ack: ChangeAck };
  delete: { data: { room: string; id: string }; ack: ChangeAck };
  react: { data: { room: string; id: string; emoji: string; remove?: boolean }; ack: ChangeAck };
  history: {
    data: { room: string; before?: string; after?: string; limit?: number; query?: string };
    ack: HistoryPage;
  };
  read: { data: { room: string; seq: number }; ack: { room: string; seq: number; unread: number } };
  rooms: { data: { cursor?: string; limit?: number }; ack: { rooms: RoomSummary[]; next?: string } };
  members: { data: { room: string; cursor?: string; limit?: number }; ack: { members: MemberSummary[]; next?: string } };
  typing: { data: { room: string; typing: boolean }; ack: Empty };
  presence: { data: { status: Exclude<Status, "offline"> }; ack: Empty };
  ping: { data: Empty; ack: Empty };
}

export type CommandName = keyof Commands;

export type ErrorCode =
  | "unauthenticated"
  | "forbidden"
  | "not_found"
  | "invalid"
  | "too_large"
  | "rate_limited"
  | "conflict"
  | "unknown_event"
  | "unavailable"
  | "internal";

export interface ErrorData {
  code: ErrorCode;
  message: string;
  field?: string;
  retryable: boolean;
  retry_after_ms?: number;
}

/** What the server sent, told apart. */
export type ServerFrame =
  | { kind: "welcome"; welcome: Welcome }
  | { kind: "ack"; id: number; data: unknown }
  | { kind: "error"; id: number | undefined; error: ErrorData }
  | { kind: "closing"; reconnectAfterMs: number | undefined }
  | { kind: "entry"; entry: Entry }
  | { kind: "ephemeral"; ephemeral: Ephemeral }
  | { kind: "ping" };

const ENTRIES: ReadonlySet<string> = new Set<keyof EntryData>([
  "message",
  "edit",
  "delete",
  "react",
  "member",
  "room",
  "call",
  "room_added",
  "room_removed",
  "mention",
  "notice",
]);
const EPHEMERALS: ReadonlySet<string> = new Set<keyof EphemeralData>(["caught_up", "presence", "typing", "activity"]);

/** Parses a frame; `null` for what this version has no use for. */
export function parseFrame(text: string): ServerFrame | null {
  const frame = JSON.parse(text) as { event?: unknown; id?: number; data?: Record<string, unknown> };
  if (typeof frame.event !== "string") return null;
  const data: Record<string, unknown> = frame.data ?? {};
  switch (frame.event) {
    case "welcome":
      return { kind: "welcome", welcome: data as unknown as Welcome };
    case "ack":
      return frame.id === undefined ? null : { kind: "ack", id: frame.id, data };
    case "error":
      return { kind: "error", id: frame.id, error: data as unknown as ErrorData };
    case "closing":
      return { kind: "closing", reconnectAfterMs: data["reconnect_after_ms"] as number | undefined };
    case "ping":
      return { kind: "ping" };
    default:
      return parseEvent(frame.event, data);
  }
}

function parseEvent(event: string, data: Record<string, unknown>): ServerFrame | null {
  const durable = typeof data["epoch"] === "string" && typeof data["seq"] === "number";
  if (durable) {
    const known = ENTRIES.has(event) || event === "read";
    return { kind: "entry", entry: { event: known ? event : "unknown", data } as unknown as Entry };
  }
  if (event === "read") return { kind: "ephemeral", ephemeral: { event: "mark", data } as unknown as Ephemeral };
  if (!EPHEMERALS.has(event)) return null;
  return { kind: "ephemeral", ephemeral: { event, data } as unknown as Ephemeral };
}

/** The close codes of the protocol that forbid a reconnection. */
export function isFinalClose(code: number): boolean {
  return code >= 4500 && code <= 4999;
}
