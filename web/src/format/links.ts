/** Addresses without a scheme in a text: `www.example.com`, `example.com/a` and mail addresses. */
import { find } from "linkifyjs";

export interface Piece {
  text: string;
  /** The address, if the piece is a link. */
  href?: string;
}

/** Names of files look like domains of these countries. */
const FILE = /\.(?:app|cc|md|mov|pl|ps|py|rs|sh|so|zip)$/i;
const WEB = /^(?:https?:\/\/|mailto:)/i;

/** Split a text into links and the rest. */
export function splitLinks(text: string): Piece[] {
  const pieces: Piece[] = [];
  let end = 0;
  for (const { value, href, start, end: after } of find(text, { defaultProtocol: "https" })) {
    if (FILE.test(value) || !WEB.test(href)) continue;
    if (start > end) pieces.push({ text: text.slice(end, start) });
    pieces.push({ text: value, href });
    end = after;
  }
  if (end < text.length) pieces.push({ text: text.slice(end) });
  return pieces;
}
