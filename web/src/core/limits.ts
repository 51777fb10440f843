// Limits of the server that the client checks first.

/** Characters (Unicode code points) of one message. */
export const MAX_CHARACTERS = 4_000;

/** Return the length of a text in code points, as the server counts it. */
export function countCharacters(text: string): number {
  return Array.from(text).length;
}
