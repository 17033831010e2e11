import Type, { type TSchema } from 'typebox';
import { errorCodes } from '../errors.js';

/** What the answers of all routes have in common: errors, pages, and the value that may be missing. */

export const ErrorCodeSchema = Type.String({
  enum: Object.keys(errorCodes),
  title: 'ErrorCode',
  description: 'Stable; see docs/errors.md.',
});

/** The two styles of errors. */
export const ProblemSchema = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    code: ErrorCodeSchema,
    detail: Type.String({ description: 'What was wrong, with which value, and what would be right.' }),
    field: Type.Optional(Type.String({ description: 'The path of the field that is wrong.' })),
    failed: Type.Optional(Type.Integer({ description: 'Of a batch: how many of its changes cannot be made.' })),
    errors: Type.Optional(
      Type.Array(
        Type.Object(
          {
            index: Type.Integer({ minimum: 0, description: 'Which one of `changes`.' }),
            code: ErrorCodeSchema,
            detail: Type.String(),
            field: Type.Optional(Type.String()),
          },
          { title: 'ChangeError' },
        ),
        { description: 'Of a batch: the first 100 changes that cannot be made.' },
      ),
    ),
  },
  { title: 'Problem', description: 'A problem document (RFC 9457).' },
);

const FailureSchema = Type.Object(
  {
    error: Type.String({ description: 'What was wrong, with which value, and what would be right.' }),
    code: ErrorCodeSchema,
  },
  { title: 'Failure', description: 'A failure in the style of the content manager.' },
);

const meanings: Readonly<Record<number, string>> = {
  400: 'A field, or the JSON itself, is wrong; nothing was changed.',
  401: 'A token is needed, or the one that was sent is not valid.',
  403: 'The token does not allow it; or, without a token, a page of another site makes the call.',
  404: 'It does not exist.',
  405: 'Not with this method; `Allow` names those that can be used.',
  409: 'It contradicts what exists, or a limit; nothing was changed.',
  412: '`if-match` or `if-none-match` does not hold: somebody else changed it; nothing was changed.',
  413: 'The body is larger than 64 KiB; that of a batch, than 16 MiB.',
  414: 'A part of the path is longer than any name.',
  415: 'The body is not declared as JSON.',
  429: 'Too many calls, or too many wrong tokens, from this address; `retry-after` says how long to wait.',
  431: 'The address and the headers of the request are larger than 16 KiB. The answer is the same in all parts of the API.',
  500: 'The aggregator failed; its log says why.',
  502: 'The camera that was asked refuses, or does not answer; the code says which.',
  501: 'The media backend cannot do it.',
  503: 'Not now: the state cannot be written, RTMP is not taken, or the identity provider does not answer. Nothing was changed.',
};

/** An answer that is no JSON, by its media type. */
export interface MediaTypes {
  readonly content: Readonly<Record<string, { readonly schema: TSchema }>>;
}

/** Responses for the description of a route: the good ones, and problem documents for the statuses given. */
export function v1Responses(
  good: Readonly<Record<number, TSchema | MediaTypes>>,
  ...failures: number[]
): Record<number, object> {
  const problems = [...failures, 500].map((status) => [
    status,
    { description: meanings[status], content: { 'application/problem+json': { schema: ProblemSchema } } },
  ]);
  return { ...good, ...Object.fromEntries(problems) };
}

/** The same in the content manager's style. */
export function legacyResponses(
  good: Readonly<Record<number, TSchema | MediaTypes>>,
  ...failures: number[]
): Record<number, object> {
  const entries = [...failures, 500].map((status) => [
    status,
    { description: meanings[status], content: { 'application/json': { schema: FailureSchema } } },
  ]);
  return { ...good, ...Object.fromEntries(entries) };
}

/** What the guard of the API answers, in either style. */
export function accessResponses(problems: boolean, statuses: readonly number[]): Record<number, object> {
  // Who answers this does not know yet which route is meant.
  const unread = { 431: { description: meanings[431], content: { 'application/json': { schema: FailureSchema } } } };
  return { ...unread, ...(problems ? v1Responses({}, ...statuses) : legacyResponses({}, ...statuses)) };
}

export const NoContentSchema = Type.Null({ description: 'Done.' });

/** Null: there is none, or it is not known. */
export const orNull = (schema: TSchema): TSchema => Type.Union([schema, Type.Null()]);

const pageOf = (item: TSchema) => ({
  items: Type.Array(item),
  next: Type.Union([Type.String(), Type.Null()], { description: 'Give it as `after` for the next page.' }),
});

export function pageSchema(item: TSchema): TSchema {
  return Type.Object(pageOf(item));
}

/** A page with parts of all nodes of a cluster. */
export function clusterPageSchema(item: TSchema): TSchema {
  return Type.Object({
    ...pageOf(item),
    unknown: Type.Optional(
      Type.Array(Type.String(), { description: 'In a cluster: nodes that did not answer; their parts are not known.' }),
    ),
  });
}
