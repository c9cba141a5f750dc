// A text area as high as its text, up to the limit that its style sets.

import type { Attachment } from "svelte/attachments";

/** Attachments run again when what they read changes: here, the text. */
export function grow(text: () => string): Attachment<HTMLTextAreaElement> {
  return (area) => {
    text();
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight + area.offsetHeight - area.clientHeight}px`;
  };
}
