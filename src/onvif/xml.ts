import { setImmediate as nextTurn } from 'node:timers/promises';
import sax from 'sax';
import { messageOf, SourceError } from '../errors.js';

/** An answer of a camera has some hundreds of elements; of one with many profiles, some thousands. */
const maxElements = 20_000;
const maxDepth = 32;
/** Of one element; longer text is cut. */
const maxTextChars = 4096;

/** An element without its namespace prefix. */
export interface XmlElement {
  readonly name: string;
  /** The attribute `token`, by which ONVIF names profiles; empty without it. */
  readonly token: string;
  /** Its own text, without white space around it. */
  readonly text: string;
  readonly children: readonly XmlElement[];
}

interface Draft {
  name: string;
  token: string;
  text: string;
  children: Draft[];
}

/**
 * Reads a document of a stranger: no document type (so no entities of its own), and bounds for depth, elements and text. The
 * caller bounds its bytes. Names lose their prefixes: devices choose them freely, and some declare none.
 * @throws SourceError SOURCE_PROTOCOL
 */
export function readXml(text: string): XmlElement {
  const reader = new XmlReader();
  reader.write(text);
  return reader.end();
}

/** Characters that are read in one turn of the event loop, which others wait for. */
const charsInTurn = 16 * 1024;

/** The same for what may be long: other work comes in between. @throws (rejects) SourceError SOURCE_PROTOCOL */
export async function readLongXml(text: string): Promise<XmlElement> {
  const reader = new XmlReader();
  for (let at = 0; at < text.length; at += charsInTurn) {
    if (at > 0) await nextTurn();
    reader.write(text.slice(at, at + charsInTurn));
  }
  return reader.end();
}

class XmlReader {
  readonly #parser = sax.parser(true, { position: false });
  readonly #open: Draft[] = [];
  #root: Draft | undefined;
  #count = 0;

  constructor() {
    const parser = this.#parser;
    parser.onerror = (error) =>
      refuse(`is not well-formed: ${plainText(messageOf(error).split('\n', 1)[0] ?? '', 160)}`);
    parser.ondoctype = () => refuse('has a document type, which could define entities');
    parser.onopentag = ({ name, attributes }) => this.#begin(localName(name), attributes.token);
    parser.ontext = (text) => this.#addText(text);
    parser.oncdata = (text) => this.#addText(text);
    parser.onclosetag = () => {
      const draft = this.#open.pop();
      if (draft !== undefined) draft.text = draft.text.trim();
    };
  }

  write(text: string): void {
    this.#parser.write(text);
  }

  end(): XmlElement {
    this.#parser.close();
    return this.#root ?? refuse('is empty');
  }

  #begin(name: string, token: unknown): void {
    if (++this.#count > maxElements) refuse(`has more than ${maxElements} elements`);
    if (this.#open.length >= maxDepth) refuse(`is deeper than ${maxDepth} elements`);
    const draft: Draft = { name, token: typeof token === 'string' ? token : '', text: '', children: [] };
    const parent = this.#open.at(-1);
    if (parent !== undefined) parent.children.push(draft);
    else if (this.#root === undefined) this.#root = draft;
    else refuse('has more than one root');
    this.#open.push(draft);
  }

  #addText(part: string): void {
    const current = this.#open.at(-1);
    if (current === undefined || current.text.length >= maxTextChars) return;
    current.text = (current.text + part).slice(0, maxTextChars);
  }
}

function refuse(problem: string): never {
  throw new SourceError('SOURCE_PROTOCOL', `the XML ${problem}`);
}

function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}

/** The first element below this one along these names; undefined where one is missing. */
export function child(element: XmlElement | undefined, ...path: readonly string[]): XmlElement | undefined {
  let found = element;
  for (const name of path) found = found?.children.find((each) => each.name === name);
  return found;
}

/** The text there; empty where there is none. Signs that are not printable become spaces, and it is cut to `max`. */
export function textAt(element: XmlElement | undefined, path: readonly string[], max = 256): string {
  return plainText(child(element, ...path)?.text ?? '', max);
}

/** What a stranger calls something, in one line. */
export function plainText(text: string, max = 256): string {
  return text
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim()
    .slice(0, max);
}

/** A number that is no less than 0; null where there is none. */
export function numberAt(element: XmlElement | undefined, path: readonly string[]): number | null {
  const text = textAt(element, path, 32);
  const value = Number(text);
  return text === '' || !Number.isFinite(value) || value < 0 ? null : value;
}

/** All elements with this name below, at any depth, in order; no more than `max`. */
export function descendants(element: XmlElement, name: string, max: number): XmlElement[] {
  const found: XmlElement[] = [];
  const visit = (each: XmlElement): void => {
    for (const inner of each.children) {
      if (found.length >= max) return;
      if (inner.name === name) found.push(inner);
      else visit(inner);
    }
  };
  visit(element);
  return found;
}

/** As text of an element or the value of an attribute. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
