import { request } from 'node:http';
import { connect } from 'node:net';

export interface Asked {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The body as JSON; undefined for anything else. */
  readonly json: Record<string, unknown> | undefined;
}

export interface Question {
  readonly method?: string;
  /** Sent as it stands. */
  readonly path: string;
  /** Sent as they stand: `host`, `origin` and others that `fetch` does not let one choose. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly host?: string;
}

/** Asks an API of this machine, with any headers. */
export function ask(port: number, question: Question): Promise<Asked> {
  const { method = 'GET', path, headers = {}, body, host = '127.0.0.1' } = question;
  const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    // Of its own accord Node.js gives a body with GET no length, and what follows it is then no HTTP.
    const length = String(Buffer.byteLength(text ?? ''));
    const type = text === undefined ? {} : { 'content-type': 'application/json', 'content-length': length };
    const sent = request({ host, port, method, path, agent: false, headers: { ...type, ...headers } }, (response) => {
      let answer = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        answer += part;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text: answer, json: parsed(answer) }),
      );
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(text);
  });
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** Sends raw bytes, then `drip` every half second, until the server closes; gives what it answered. */
export function askRaw(port: number, text: string | Buffer, drip?: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    const timer = setInterval(() => drip !== undefined && socket.write(drip), 500);
    socket.on('data', (data) => {
      answer += data.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearInterval(timer);
      resolve(answer);
    });
  });
}
