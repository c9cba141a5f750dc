// What people are told when something goes wrong. The server's sentences are for developers; these are for everybody.

import type { Catalogue } from "./en";

/** The failed action, where the same code means something else. */
export type Doing = "signIn" | "signUp" | "room" | "other";

export function errorText(t: Catalogue, code: string, field?: string, doing: Doing = "other"): string {
  switch (code) {
    case "unauthenticated":
      return t.errorCredentials;
    case "invalid":
      return invalidText(t, field);
    case "conflict":
      return doing === "room" ? t.errorRoomTaken : doing === "signUp" ? t.errorEmailTaken : t.errorUnknown;
    case "forbidden":
      return doing === "signUp" ? t.errorSignupClosed : t.errorForbidden;
    case "not_found":
      return doing === "signUp" || field === "invite" ? t.errorInvite : t.errorNotFound;
    case "too_large":
      return t.errorTooLarge;
    case "rate_limited":
      return t.errorRateLimited;
    case "unavailable":
    case "lost":
      return t.errorUnavailable;
    case "network":
      return t.errorNetwork;
    default:
      return t.errorUnknown;
  }
}

function invalidText(t: Catalogue, field: string | undefined): string {
  switch (field) {
    case "email":
      return t.errorEmail;
    case "password":
      return t.errorPassword;
    case "name":
      return t.errorName;
    case "invite":
      return t.errorInvite;
    default:
      return t.errorUnknown;
  }
}
