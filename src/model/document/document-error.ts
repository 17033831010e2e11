import { quoted } from '../../address/host.js';
import { CodedError, type ErrorCode, messageOf, StateError } from '../../errors.js';

/** A key that is shown as it is; others are shown in quotes. */
const plainKey = /^[^\p{C}"]{1,64}$/u;

/**
 * A rule that a document breaks: where, which rule, and what would be right. Its code is STATE_INVALID, or LIMIT_REACHED
 * where a limit is what it breaks, or STATE_SEALED where it cannot be opened.
 */
export class DocumentError extends StateError {
  /** The code that the API refuses the same with. */
  readonly rule: ErrorCode;
  /** Where it is: `['cameras', 'a', 'pushes', 'p', 'url']`; empty for the whole document. */
  readonly keys: readonly string[];
  /** What is wrong and what would be right, without the place. */
  readonly reason: string;

  constructor(
    keys: readonly string[],
    reason: string,
    rule: ErrorCode,
    place: { line?: number; cause?: unknown } = {},
  ) {
    const path = keys.map((key) => (plainKey.test(key) ? key : quoted(key))).join('.');
    const where = [...(place.line === undefined ? [] : [`line ${place.line}`]), path || 'the document'].join(': ');
    // An error of shape names the rule in its message.
    const code = rule === 'INVALID_REQUEST' || rule === 'STATE_SEALED' ? '' : ` (${rule})`;
    super(rule === 'LIMIT_REACHED' || rule === 'STATE_SEALED' ? rule : 'STATE_INVALID', `${where}: ${reason}${code}`, {
      ...(path === '' ? {} : { field: path }),
      cause: place.cause,
    });
    this.keys = keys;
    this.reason = reason;
    this.rule = rule;
  }

  /** The same, with the line of the file. */
  inLine(line: number): DocumentError {
    return new DocumentError(this.keys, this.reason, this.rule, { line, cause: this.cause });
  }
}

/** Fields by which the API names a thing as such: a document has it as the key of the thing. */
const ownFields: ReadonlySet<string> = new Set(['name', 'id']);

/**
 * Applies a rule at a place of a document.
 * @param keys of the thing whose fields the rule names
 * @throws DocumentError in place of any CodedError of the rule
 */
export function at<R>(keys: readonly string[], rule: () => R): R {
  try {
    return rule();
  } catch (error) {
    if (!(error instanceof CodedError) || error instanceof StateError) throw error;
    const field = error.field ?? '';
    const message = messageOf(error);
    const reason = message.startsWith(`${field}: `) ? message.slice(field.length + 2) : message;
    const place = field === '' || ownFields.has(field) ? keys : [...keys, field];
    throw new DocumentError(place, reason, error.code, { cause: error });
  }
}
