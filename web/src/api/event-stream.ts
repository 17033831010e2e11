import { get } from './http.js';

/** One server-sent event. */
export interface ServerEvent {
  readonly type: string;
  readonly id: string | undefined;
  readonly data: string;
}

/** The server says something every 15 s; a connection that is silent for longer is dead. */
const silenceMs = 40_000;
/** A line longer than this is none of ours. */
const maxLineLength = 16 << 20;

/**
 * Follows server-sent events. Read by `fetch` and not by `EventSource`, which cannot say who asks.
 * @param onHeard called when anything comes, signs of life too
 * @throws ApiProblem when it is refused; NoAnswer, or what `fetch` throws, when it breaks off
 */
export async function followEvents(
  path: string,
  lastEventId: string | undefined,
  onEvent: (event: ServerEvent) => void,
  onHeard: () => void,
): Promise<void> {
  const ended = new AbortController();
  let silence = setTimeout(() => ended.abort(), silenceMs);
  try {
    const query = lastEventId === undefined ? '' : `&lastEventId=${lastEventId}`;
    const response = await get(path + query, ended.signal);
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    if (reader === undefined) return;
    const parse = makeParser(onEvent);
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(silence);
      silence = setTimeout(() => ended.abort(), silenceMs);
      onHeard();
      parse(value);
    }
  } finally {
    clearTimeout(silence);
    ended.abort();
  }
}

function makeParser(onEvent: (event: ServerEvent) => void): (text: string) => void {
  let rest = '';
  let type = 'message';
  let id: string | undefined;
  let data: string[] = [];
  const takeLine = (line: string) => {
    if (line === '') {
      if (data.length > 0) onEvent({ type, id, data: data.join('\n') });
      type = 'message';
      data = [];
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') type = value;
    else if (field === 'data') data.push(value);
    else if (field === 'id') id = value;
  };
  return (text) => {
    const lines = (rest + text).split(/\r\n|\n|\r/);
    rest = lines.pop() ?? '';
    if (rest.length > maxLineLength) throw new Error('a line of the event stream is too long');
    for (const line of lines) takeLine(line);
  };
}
