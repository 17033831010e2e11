import {
  type AmfObject,
  type AmfValue,
  encodeAmf0,
  propertiesOf,
  type ReadableAmf,
  readableAmf0,
} from '../wire/amf0.js';
import { MessageType } from '../wire/message.js';

/** Values in one command, those inside objects included: a hundred times what any encoder sends. */
const maxCommandValues = 4096;

/** Name, transaction, command object and arguments: no command has more that anybody reads. */
const maxValuesAtTop = 16;

/** A command message taken apart (RTMP 1.0, section 7.2). */
export interface Command {
  readonly name: string;
  readonly transactionId: number;
  /** The command object and the further arguments, as far as they could be read. */
  readonly args: readonly AmfValue[];
  /** Why no more was read, in words; null: all was. */
  readonly problem: string | null;
}

export interface CommandLimits {
  readonly maxCommandBytes: number;
  readonly maxAmfDepth: number;
}

/**
 * Reads a command message of type 20, or of type 17: what senders put there is AMF0 behind one byte 0 ("format
 * selector"), also when they asked for object encoding 3. Some put that byte in front of type 20 too.
 *
 * Nothing in a command is fatal, since the chunk stream goes on behind it: its name is read, and of the rest what can be.
 * @returns in words, why it has no name and is no command
 */
export function parseCommand(type: number, payload: Buffer, limits: CommandLimits): Command | string {
  const readable = readCommandValues(withoutFormatSelector(type === MessageType.CommandAmf3, payload), limits);
  const { values, problem } = readable;
  const [text, second] = values;
  if (typeof text !== 'string') return problem ?? `a command begins with ${describe(values)} instead of its name`;
  const name = stringOf(text);
  const transactionId = transactionOf(second);
  // Encoders exist that leave the transaction out of commands that want no answer.
  if (transactionId === null) return { name, transactionId: 0, args: values.slice(1), problem };
  return { name, transactionId, args: values.slice(2), problem };
}

function readCommandValues(data: Buffer, { maxCommandBytes, maxAmfDepth }: CommandLimits): ReadableAmf {
  const limits = { maxDepth: maxAmfDepth, maxBytes: maxCommandBytes, maxValues: maxCommandValues };
  return readableAmf0(data, limits, maxValuesAtTop);
}

/** The AMF0 part of a message that may carry AMF3's format selector. */
export function withoutFormatSelector(amf3: boolean, payload: Buffer): Buffer {
  if (payload[0] !== 0) return payload;
  // Without AMF3 a byte 0 begins a number; before the marker of a string it begins none that anybody means.
  return amf3 || payload[1] === 2 || payload[1] === 17 ? payload.subarray(1) : payload;
}

/** A transaction as a number, which some write as text. Null: this value is none. */
function transactionOf(value: AmfValue | undefined): number | null {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && /^[0-9]{1,15}$/.test(value) ? Number(value) : null;
}

export function encodeCommand(name: string, transactionId: number, ...args: AmfValue[]): Buffer {
  return encodeAmf0(name, transactionId, ...args);
}

/** The properties of the argument at `index` when it is an object of any kind, else none. */
export function objectArgument(args: readonly AmfValue[], index: number): AmfObject {
  return propertiesOf(args[index]) ?? {};
}

/**
 * A text up to its first zero byte; empty for what is no text. Encoders exist that count the zero at the end of a C string as
 * part of it, and servers written in C (nginx-rtmp) do not see it.
 */
export function stringOf(value: AmfValue | undefined): string {
  if (typeof value !== 'string') return '';
  const end = value.indexOf('\0');
  return end < 0 ? value : value.slice(0, end);
}

/** As `stringOf`; a number that is meant as a name, such as that of a camera of digits, counts too. */
export function textOf(value: AmfValue | undefined): string {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return String(value);
  return stringOf(value);
}

const publishKinds: ReadonlySet<AmfValue> = new Set(['live', 'record', 'append', 'appendWithGap']);

/**
 * The stream name in the arguments of `publish`, `play` and their kin: behind the command object. Encoders exist that leave
 * that out, or that have a null in front of it instead of a transaction. Empty when there is none.
 */
export function nameArgument(args: readonly AmfValue[]): string {
  const [object, name, third] = args.map((each) => (typeof each === 'string' ? stringOf(each) : each));
  if (typeof name !== 'string' && typeof object === 'string') return object;
  if (typeof object === 'string' && publishKinds.has(name)) return object;
  if ((name === null || name === undefined) && typeof third === 'string' && !publishKinds.has(third)) return third;
  return textOf(name);
}

function describe(values: readonly AmfValue[]): string {
  const [value] = values;
  return values.length === 0 ? 'nothing' : `a ${value === null ? 'null' : typeof value}`;
}
