/** One of the server's messages. */
export interface ServerSentEvent {
  readonly type: string;
  readonly id: string;
  readonly data: string;
}

/** An aggregator's events are far smaller; one without an end is none. */
const maxLength = 8 << 20;

/**
 * The messages of a stream of server-sent events (WHATWG HTML, section 9.2), as far as aggregators write it: one line of
 * data each. Ends with the stream.
 * @param onBytes called when anything comes, a sign of life too
 * @throws Error of the stream, and for a message that does not end
 */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  onBytes: () => void,
): AsyncGenerator<ServerSentEvent, undefined> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const bytes of body) {
    onBytes();
    // What was looked at before has no end; but the first of the two line breaks may be its last character.
    const lookFrom = Math.max(0, text.length - 1);
    text += decoder.decode(bytes, { stream: true });
    let end = text.indexOf('\n\n', lookFrom);
    while (end >= 0) {
      const event = parseEvent(text.slice(0, end));
      text = text.slice(end + 2);
      if (event !== undefined) yield event;
      end = text.indexOf('\n\n');
    }
    if (text.length > maxLength) throw new Error('an event has no end');
  }
  return undefined;
}

function parseEvent(block: string): ServerSentEvent | undefined {
  const fields: Record<string, string> = {};
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 1).replace(/^ /, '');
  }
  const { event: type, data, id = '' } = fields;
  return type === undefined || data === undefined ? undefined : { type, data, id };
}
