// Who is here: nobody yet, somebody at the door, or a person in conversation.

import { api, ApiError, type Account, type Credentials, type SessionInfo } from "./api";
import { Chat } from "./chat.svelte";
import { i18n } from "./i18n/index.svelte";
import { notices } from "./notices.svelte";

export type Phase = "loading" | "unreachable" | "door" | "inside";

class Session {
  phase = $state<Phase>("loading");
  info = $state.raw<SessionInfo>({ user: null, setup: false, signup: "invite" });
  chat = $state.raw<Chat | null>(null);
  #checking = false;

  /** Asks the server who we are. */
  async load(): Promise<void> {
    this.phase = "loading";
    try {
      this.#settle(await api.session());
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.phase = "unreachable";
    }
  }

  /** Returns the room that the invitation led to, if there was one. */
  async enter(how: "login" | "signup", credentials: Credentials): Promise<string | undefined> {
    const { user, room } = await api[how](credentials);
    try {
      if (how === "signup" || credentials.invite === undefined) return room;
      return (await api.acceptInvite(credentials.invite)).room;
    } finally {
      // Whatever becomes of the invitation, the person is in.
      this.#settle({ ...this.info, user, setup: false });
    }
  }

  /** Somebody who is inside follows an invitation. */
  async accept(invite: string): Promise<string> {
    const { room } = await api.acceptInvite(invite);
    await this.chat?.roomAdded();
    return room;
  }

  async logOut(): Promise<void> {
    this.chat?.forgetEverything();
    this.#end();
    try {
      await api.logout();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      notices.show(i18n.error(error));
    }
    await this.load();
  }

  #settle(info: SessionInfo): void {
    this.info = info;
    if (info.user === null) {
      this.#end();
      this.phase = "door";
      return;
    }
    if (this.chat?.self !== info.user.id) this.#begin(info.user);
    this.phase = "inside";
  }

  #begin(user: Account): void {
    this.#end();
    this.chat = new Chat({ user, onloggedout: () => this.#loggedOut(), onrefused: () => void this.#check() });
    this.chat.start();
  }

  #end(): void {
    this.chat?.stop();
    this.chat = null;
  }

  #loggedOut(): void {
    this.#end();
    notices.show(i18n.t.loggedOut);
    void this.load();
  }

  /** A refused handshake does not say why. Asking tells a restarted server from an ended login. */
  async #check(): Promise<void> {
    if (this.#checking) return;
    this.#checking = true;
    try {
      const info = await api.session();
      if (info.user === null && this.chat !== null) this.#loggedOut();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    } finally {
      this.#checking = false;
    }
  }
}

export const session = new Session();
