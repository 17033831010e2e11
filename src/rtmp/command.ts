import { WireError } from '../errors.js';
import { type AmfObject, type AmfValue, decodeAmf0, encodeAmf0, propertiesOf } from '../wire/amf0.js';
import { MessageType } from '../wire/message.js';

/** Values in one command, those inside objects included: a hundred times what any encoder sends. */
const maxCommandValues = 4096;

/** A command message taken apart (RTMP 1.0, section 7.2). */
export interface Command {
  readonly name: string;
  readonly transactionId: number;
  /** The command object and the further arguments. */
  readonly args: readonly AmfValue[];
}

/**
 * Reads a command message of type 20, or of type 17: what senders put there is AMF0 behind one byte 0 ("format
 * selector"), also when they asked for object encoding 3.
 * @throws WireError RTMP_COMMAND, RTMP_AMF
 */
export function parseCommand(
  type: number,
  payload: Buffer,
  limits: { readonly maxCommandBytes: number; readonly maxAmfDepth: number },
): Command {
  const values = decodeAmf0(withoutFormatSelector(type === MessageType.CommandAmf3, payload), {
    maxDepth: limits.maxAmfDepth,
    maxBytes: limits.maxCommandBytes,
    maxValues: maxCommandValues,
  });
  const [name, transactionId, ...args] = values;
  if (typeof name !== 'string') {
    throw new WireError('RTMP_COMMAND', `a command message begins with ${describe(name)} instead of a name`);
  }
  // Encoders exist that leave the transaction out of commands that want no answer.
  if (typeof transactionId !== 'number') return { name, transactionId: 0, args: values.slice(1) };
  return { name, transactionId, args };
}

/** The AMF0 part of a message that may carry AMF3's format selector. */
export function withoutFormatSelector(amf3: boolean, payload: Buffer): Buffer {
  return amf3 && payload.length > 0 && payload[0] === 0 ? payload.subarray(1) : payload;
}

export function encodeCommand(name: string, transactionId: number, ...args: AmfValue[]): Buffer {
  return encodeAmf0(name, transactionId, ...args);
}

/** The properties of the argument at `index` when it is an object of any kind, else none. */
export function objectArgument(args: readonly AmfValue[], index: number): AmfObject {
  return propertiesOf(args[index]) ?? {};
}

export function stringOf(value: AmfValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

function describe(value: AmfValue | undefined): string {
  return value === undefined ? 'nothing' : `a ${value === null ? 'null' : typeof value}`;
}
