import Type from 'typebox';
import type { Control } from '../../control/control.js';
import { CodedError, ConflictError } from '../../errors.js';
import { NameSchema, TimeSchema } from '../../model/schema.js';
import type { App } from '../app.js';
import { NoContentSchema, v1Responses } from '../schemas.js';
import type { TestPatterns } from '../test-patterns.js';
import { NameParams } from './requests.js';

const TestPatternSchema = Type.Object(
  {
    camera: NameSchema,
    startedAt: TimeSchema,
    endsAt: Type.String({ description: 'When it ends by itself.' }),
  },
  { title: 'TestPattern', description: 'The sample clip, published as a camera over and over.' },
);

const NewTestPattern = Type.Object({ camera: NameSchema }, { title: 'NewTestPattern', additionalProperties: false });

const tags = ['test pattern'];

/** For first steps and for trials: a picture without a camera. */
export function addTestPatternRoutes(app: App, control: Control, patterns: TestPatterns): void {
  app.get(
    '/v1/test-pattern',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'listTestPatterns',
        summary: 'The cameras that a test pattern is published as',
        tags,
        response: v1Responses({ 200: Type.Object({ items: Type.Array(TestPatternSchema) }) }),
      },
    },
    async () => ({ items: patterns.list() }),
  );

  app.post(
    '/v1/test-pattern',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'startTestPattern',
        summary: 'Publish the sample clip as a registered camera that is not live; the same again changes nothing',
        description:
          'It gives way when the camera itself publishes; with `--backend nginx` the camera is refused meanwhile.',
        tags,
        body: NewTestPattern,
        response: v1Responses({ 200: TestPatternSchema, 201: TestPatternSchema }, 400, 404, 409, 413, 415, 503),
      },
    },
    async (request, reply) => {
      const { name, live } = control.cameras.get(request.body.camera, request.headers.host);
      const isLive = () =>
        new ConflictError('PUBLISH_ALREADY_LIVE', `camera "${name}" is live; a test pattern does not replace it`);
      if (live && !patterns.list().some(({ camera }) => camera === name)) throw isLive();
      const { created, view } = await patterns.start(name).catch((error: unknown) => {
        // The camera may have come in between.
        const isRefused = error instanceof CodedError && error.code === 'TARGET_PUBLISH_REJECTED';
        throw isRefused && control.cameras.get(name, undefined).live ? isLive() : error;
      });
      if (created) reply.code(201);
      return view;
    },
  );

  app.delete(
    '/v1/test-pattern/:name',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'stopTestPattern',
        summary: 'End the test pattern of a camera; without one nothing happens',
        tags,
        params: NameParams,
        response: v1Responses({ 204: NoContentSchema }, 400, 404),
      },
    },
    async (request, reply) => {
      const { name } = control.cameras.get(request.params.name, request.headers.host);
      await patterns.stop(name);
      return reply.code(204).send();
    },
  );
}
