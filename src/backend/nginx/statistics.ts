import { get } from 'node:http';
import sax from 'sax';
import { CodedError, messageOf } from '../../errors.js';

/** A connection that takes part in a stream. */
export interface StatClient {
  /** nginx's number of the connection: unique while the worker lives. */
  readonly id: string;
  /** The peer's address without a port; of a push, what stands in the directive. */
  readonly address: string;
  readonly connectedMs: number;
  readonly encoder: string;
  /** Frames that were not sent to it. */
  readonly dropped: number;
  readonly publishing: boolean;
}

export interface StatStream {
  readonly application: string;
  readonly name: string;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Bits per second of each kind, as the module averages them; null: it is a version that does not tell. */
  readonly audioBps: number | null;
  readonly videoBps: number | null;
  readonly width: number;
  readonly height: number;
  readonly frameRate: number;
  readonly videoCodec: string;
  readonly audioCodec: string;
  readonly clients: readonly StatClient[];
}

/** What the RTMP module tells: of the worker that answered, and of no other. */
export interface Statistics {
  readonly workerPid: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly streams: readonly StatStream[];
}

/** Far more than 10,000 live cameras with their connections need. */
const maxDocumentBytes = 64 * 1024 * 1024;
const maxDepth = 16;
const maxTextChars = 8192;
/** Of the characters that XML 1.0 has no place for; the module puts out stream names as it got them. */
const noXml = /[^\P{Cc}\t\n\r]|[\ufffe\uffff]/gu;

/**
 * Fetches and reads the statistics. The document is parsed as it arrives: a large one holds up nothing.
 * @throws CodedError NGINX_DOWN when there is no answer in time, or one that is no statistics
 */
export function fetchStatistics(port: number, path: string, timeoutMs: number): Promise<Statistics> {
  return new Promise((resolve, reject) => {
    const fail = (problem: string): void => {
      request.destroy();
      reject(new CodedError('NGINX_DOWN', `the statistics of nginx at 127.0.0.1:${port} ${problem}`));
    };
    const request = get({ host: '127.0.0.1', port, path, agent: false, timeout: timeoutMs }, (response) => {
      if (response.statusCode !== 200) {
        fail(`answer ${response.statusCode}`);
        return;
      }
      const reader = new StatisticsReader();
      let bytes = 0;
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        bytes += text.length;
        if (bytes > maxDocumentBytes) {
          fail(`are larger than ${maxDocumentBytes} bytes`);
          return;
        }
        try {
          reader.feed(text);
        } catch (error) {
          fail(`cannot be read: ${messageOf(error).split('\n', 1)[0]}`);
        }
      });
      response.on('end', () => {
        try {
          resolve(reader.end());
        } catch (error) {
          fail(`cannot be read: ${messageOf(error).split('\n', 1)[0]}`);
        }
      });
      response.on('error', (error) => fail(`break off: ${error.message}`));
    });
    const timer = setTimeout(() => fail(`did not come within ${timeoutMs} ms`), timeoutMs);
    request.on('close', () => clearTimeout(timer));
    request.on('error', (error) => fail(`cannot be had: ${error.message}`));
  });
}

/** Reads a document at once. @throws Error when it is no well-formed document of the module */
export function parseStatistics(text: string): Statistics {
  const reader = new StatisticsReader();
  reader.feed(text);
  return reader.end();
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type DraftStream = Omit<Mutable<StatStream>, 'clients'> & { clients: StatClient[] };

/** Takes what is needed out of the document, element by element; what it does not know it passes over. */
class StatisticsReader {
  readonly #parser = sax.parser(true, { position: false });
  readonly #path: string[] = [];
  readonly #total = { workerPid: 0, bytesIn: 0, bytesOut: 0 };
  readonly #streams: DraftStream[] = [];
  #text = '';
  #application = '';
  #stream: DraftStream | undefined;
  #client: Mutable<StatClient> | undefined;
  #complete = false;

  constructor() {
    const parser = this.#parser;
    parser.onerror = (error) => {
      throw error;
    };
    parser.ondoctype = () => {
      throw new Error('a document type is declared');
    };
    parser.onopentag = ({ name }) => this.#open(name);
    parser.onclosetag = () => this.#close();
    parser.ontext = (text) => {
      if (this.#text.length < maxTextChars) this.#text += text;
    };
  }

  feed(text: string): void {
    this.#parser.write(text.replace(noXml, '\ufffd'));
  }

  end(): Statistics {
    this.#parser.close();
    if (!this.#complete) throw new Error('the document is not that of the RTMP module');
    return { ...this.#total, streams: this.#streams };
  }

  #open(name: string): void {
    if (this.#path.push(name) > maxDepth) throw new Error(`elements are nested deeper than ${maxDepth}`);
    this.#text = '';
    if (this.#path.length === 1 && name !== 'rtmp') throw new Error(`the document begins with <${name}>, not <rtmp>`);
    const inLive = this.#path.at(-2) === 'live';
    if (name === 'stream' && inLive) {
      this.#stream = {
        application: this.#application,
        ...{
          name: '',
          bytesIn: 0,
          bytesOut: 0,
          audioBps: null,
          videoBps: null,
          width: 0,
          height: 0,
          frameRate: 0,
          videoCodec: '',
          audioCodec: '',
        },
        clients: [],
      };
    } else if (name === 'client' && this.#stream !== undefined) {
      this.#client = { id: '', address: '', connectedMs: 0, encoder: '', dropped: 0, publishing: false };
    }
  }

  #close(): void {
    const name = this.#path.pop() ?? '';
    const parent = this.#path.at(-1) ?? '';
    const text = this.#text.trim();
    this.#text = '';
    if (this.#client !== undefined) this.#closeInClient(this.#client, name, parent, text);
    else if (this.#stream !== undefined) this.#closeInStream(this.#stream, name, parent, text);
    else if (parent === 'application' && name === 'name') this.#application = text;
    else if (parent === 'rtmp') this.#closeInRoot(name, text);
    else if (parent === '' && name === 'rtmp') this.#complete = true;
  }

  #closeInRoot(name: string, text: string): void {
    if (name === 'pid') this.#total.workerPid = count(text);
    else if (name === 'bytes_in') this.#total.bytesIn = count(text);
    else if (name === 'bytes_out') this.#total.bytesOut = count(text);
  }

  #closeInStream(stream: DraftStream, name: string, parent: string, text: string): void {
    if (parent === 'stream') {
      if (name === 'name') stream.name = text;
      else if (name === 'bytes_in') stream.bytesIn = count(text);
      else if (name === 'bytes_out') stream.bytesOut = count(text);
      else if (name === 'bw_audio') stream.audioBps = count(text);
      else if (name === 'bw_video') stream.videoBps = count(text);
    } else if (parent === 'video') {
      if (name === 'width') stream.width = count(text);
      else if (name === 'height') stream.height = count(text);
      else if (name === 'frame_rate') stream.frameRate = count(text);
      else if (name === 'codec') stream.videoCodec = text;
    } else if (parent === 'audio' && name === 'codec') {
      stream.audioCodec = text;
    } else if (name === 'stream') {
      this.#streams.push(stream);
      this.#stream = undefined;
    }
  }

  #closeInClient(client: Mutable<StatClient>, name: string, parent: string, text: string): void {
    if (name === 'client') {
      this.#stream?.clients.push(client);
      this.#client = undefined;
    } else if (parent === 'client') {
      if (name === 'id') client.id = text;
      else if (name === 'address') client.address = text;
      else if (name === 'time') client.connectedMs = count(text);
      else if (name === 'flashver') client.encoder = text;
      else if (name === 'dropped') client.dropped = count(text);
      else if (name === 'publishing') client.publishing = true;
    }
  }
}

/** A whole number; 0 for what is none. */
function count(text: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : 0;
  return Number.isSafeInteger(value) ? value : 0;
}
