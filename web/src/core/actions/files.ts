// Lists the files of a room by reading its messages backwards, a few pages per call.
import type { RequestFrame, Reply } from "../requests.ts";
import type { Message, Result } from "../types.ts";

const PAGE = 200;
const PAGES = 4;
const ENOUGH = 24;

export async function listFiles(
  request: (frame: RequestFrame) => Promise<Reply>,
  roomId: string,
  before?: number,
): Promise<Result<{ items: readonly Message[]; before: number | null }>> {
  const items: Message[] = [];
  let next = before;
  for (let page = 0; page < PAGES && items.length < ENOUGH; page += 1) {
    const from = next === undefined ? {} : { before: next };
    const result = await request({ op: "message.list", room_id: roomId, limit: PAGE, ...from });
    if (!result.ok) return result;
    const messages = result.reply.messages ?? [];
    items.push(...messages.filter((message) => (message.attachments?.length ?? 0) > 0).reverse());
    next = messages[0]?.seq;
    if (next === undefined || !result.reply.has_more) return { ok: true, items, before: null };
  }
  return { ok: true, items, before: next ?? null };
}
