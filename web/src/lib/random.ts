/** A name for a message that nobody else chooses: 128 random bits. (`randomUUID` exists on secure origins only.) */
export function clientId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
