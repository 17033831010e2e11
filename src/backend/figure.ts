import Type, { type TSchema } from 'typebox';
import type { ErrorCode } from '../errors.js';

/** What the schemas of `observed.ts` and its neighbours are made of: one figure is a schema, and the value before anything was seen. */
interface Figure<T extends TSchema> {
  readonly schema: T;
  readonly unseen: Type.Static<T>;
}

type SchemasOf<F> = { -readonly [K in keyof F]: F[K] extends Figure<infer T> ? T : never };
type UnseenOf<F> = { readonly [K in keyof F]: F[K] extends Figure<infer T> ? Type.Static<T> : never };

/** A figure of a snapshot: its schema, and the value before anything was seen. */
export function figure<T extends TSchema>(schema: T, unseen: Type.Static<T>): Figure<T> {
  return { schema, unseen };
}

/** The schemas alone, for an object that has these figures. */
export function schemasOf<F extends Readonly<Record<string, Figure<TSchema>>>>(figures: F): SchemasOf<F> {
  return Object.fromEntries(Object.entries(figures).map(([key, { schema }]) => [key, schema])) as SchemasOf<F>;
}

/** What the figures are before anything was seen. */
export function unseenOf<F extends Readonly<Record<string, Figure<TSchema>>>>(figures: F): UnseenOf<F> {
  return Object.fromEntries(Object.entries(figures).map(([key, { unseen }]) => [key, unseen])) as UnseenOf<F>;
}

/** What the figures are where nothing can be told of them. */
export function nullsOf<F>(figures: F): { readonly [K in keyof F]: null } {
  return Object.fromEntries(Object.keys(figures as object).map((key) => [key, null])) as { [K in keyof F]: null };
}

/** `T` with nothing in it that may be changed. */
export type Frozen<T> = T extends (infer Item)[]
  ? readonly Frozen<Item>[]
  : T extends object
    ? { readonly [K in keyof T]: Frozen<T[K]> }
    : T;

/** Null: not known, or there is none. */
export const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
export const Count = Type.Integer({ minimum: 0 });
export const Time = Type.String({ description: 'ISO 8601, UTC.' });
export const Rate = Type.Number({ minimum: 0, description: 'Bits per second, averaged over about 10 s.' });
export const Milliseconds = Type.Number({ minimum: 0, description: 'Milliseconds.' });
/** In a type of its own, since the document of the API names the codes once. */
export const Code = Type.Unsafe<ErrorCode>(Type.String());

/** Why something failed, and when. */
export const FailureSchema = Type.Object({ code: Code, message: Type.String(), at: Type.String() });

export type Failure = Frozen<Type.Static<typeof FailureSchema>>;

/** What it is, since when, and what helps. */
const Condition = Type.Object(
  {
    code: Code,
    message: Type.String(),
    since: Type.String(),
    label: Type.Optional(Type.String({ description: 'Two or three words, for a mark: `no picture`.' })),
    advice: Type.Optional(Type.String({ description: 'What to do about it.' })),
    level: Type.Optional(
      Type.Literal('notice', { description: 'Worth to know, and no trouble; missing: the camera is in trouble.' }),
    ),
  },
  { title: 'Condition', description: 'Something that is wrong with what a camera sends.' },
);

/** Missing: nothing is wrong. */
export const Conditions = Type.Optional(
  Type.Array(Condition, {
    description: 'What is wrong with the camera, such as CAMERA_NO_VIDEO, the gravest first; missing: nothing.',
  }),
);

/** Something that is wrong until somebody mends it. */
export type BackendProblem = Frozen<Type.Static<typeof Condition>>;
