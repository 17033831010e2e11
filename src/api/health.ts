import Type from 'typebox';
import type { Control } from '../control/control.js';
import type { App } from './app.js';
import { sendRefusal } from './errors.js';
import { v1Responses } from './schemas.js';

const HealthSchema = Type.Object({ status: Type.Literal('ok') });
const ReadySchema = Type.Object({
  status: Type.Literal('ok'),
  problems: Type.Array(Type.Object({ code: Type.String(), since: Type.String() }), {
    description: 'What is wrong while media flows: see `problems` of `GET /v1/config`.',
  }),
});

/** For those who start and stop the process: is it alive, and is it ready. */
export function addHealthRoutes(app: App, control: Control): void {
  app.get(
    '/healthz',
    {
      config: { scope: 'public' },
      schema: {
        operationId: 'isAlive',
        summary: 'The process answers',
        tags: ['health'],
        response: v1Responses({ 200: HealthSchema }),
      },
    },
    async () => ({ status: 'ok' }),
  );

  app.get(
    '/readyz',
    {
      config: { scope: 'public' },
      schema: {
        operationId: 'isReady',
        summary: 'RTMP is really taken: a handshake with the own listener succeeds, and it is not about to stop',
        tags: ['health'],
        response: v1Responses({ 200: ReadySchema }, 503),
      },
    },
    async (request, reply) => {
      if (control.node.isDraining) {
        return sendRefusal(request, reply, {
          status: 503,
          code: 'DRAINING',
          message: 'the aggregator is about to stop',
        });
      }
      if (await control.node.isUp()) {
        // Codes only: anybody may ask, and messages name paths.
        const problems = control.node.problems.map(({ code, since }) => ({ code, since }));
        return { status: 'ok' as const, problems };
      }
      const message = 'the media backend does not answer an RTMP handshake';
      return sendRefusal(request, reply, { status: 503, code: 'INTERNAL', message });
    },
  );
}
