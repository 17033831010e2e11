import { Compile } from 'typebox/compile';
import { explainValue } from '../../json/explain.js';
import { withoutUnknown, withUnknownOf } from '../../json/unknown-fields.js';
import type { Camera, StreamingEngine } from '../model.js';
import { checkName, codeOfField } from '../rules.js';
import { CameraFileSchema, EngineFileSchema } from '../schema.js';
import { decodeCamera, decodeEngine } from './decode.js';
import { at, DocumentError } from './document-error.js';
import { fileCamera, fileEngine } from './encode.js';

/*
 * One camera or engine by itself, as a store with a key for each keeps it. Nodes of different versions write there: a
 * field that this version does not know is ignored, and is still there after this version wrote the entry.
 */

const schemas = { cameras: CameraFileSchema, engines: EngineFileSchema };
const validators = { cameras: Compile(CameraFileSchema), engines: Compile(EngineFileSchema) };

export type Section = keyof typeof schemas;

/**
 * @param value the entry as JSON has it
 * @param engines what its pushes may name
 * @param unknown gets the paths of fields that this version does not know
 * @throws DocumentError
 */
export function decodeCameraEntry(
  name: string,
  value: unknown,
  engines: ReadonlyMap<string, StreamingEngine>,
  known: Camera | undefined,
  now: string,
  unknown: string[] = [],
): Camera {
  const keys = ['cameras', name];
  at(keys, () => checkName('name', name));
  const entry = withoutUnknown(CameraFileSchema, value, unknown);
  checkShape('cameras', name, entry);
  if (!validators.cameras.Check(entry)) throw new DocumentError(keys, 'is not valid', 'INVALID_REQUEST');
  return decodeCamera(name, entry, engines, known, now);
}

/** As `decodeCameraEntry`. @throws DocumentError */
export function decodeEngineEntry(
  name: string,
  value: unknown,
  known: StreamingEngine | undefined,
  now: string,
  unknown: string[] = [],
): StreamingEngine {
  const keys = ['engines', name];
  at(keys, () => checkName('name', name));
  const entry = withoutUnknown(EngineFileSchema, value, unknown);
  checkShape('engines', name, entry);
  if (!validators.engines.Check(entry)) throw new DocumentError(keys, 'is not valid', 'INVALID_REQUEST');
  return decodeEngine(name, entry, known?.createdAt ?? now);
}

function checkShape(section: Section, name: string, entry: unknown): void {
  const broken = explainValue(validators[section], schemas[section], entry);
  if (broken === undefined) return;
  const rule = broken.content ? codeOfField(broken.keys.at(-1) ?? '') : 'INVALID_REQUEST';
  throw new DocumentError([section, name, ...broken.keys], broken.rule, rule);
}

/** @param before what the entry was in the store, with fields that this version may not know */
export function encodeCameraEntry(camera: Camera, before: unknown): unknown {
  return withUnknownOf(CameraFileSchema, before, fileCamera(camera));
}

export function encodeEngineEntry(engine: StreamingEngine, before: unknown): unknown {
  return withUnknownOf(EngineFileSchema, before, fileEngine(engine));
}
