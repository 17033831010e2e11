import Type from 'typebox';
import type { Control } from '../../control/control.js';
import type { App } from '../app.js';
import { RefusedPublisherSchema } from '../camera-schemas.js';
import { v1Responses } from '../schemas.js';

/** The refused publishers: for those who look for the reason why a camera is not live. */
export function addRefusedPublishersRoute(app: App, control: Control): void {
  app.get(
    '/v1/refused-publishers',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'listRefusedPublishers',
        summary:
          'Who was refused as a publisher since the start, newest first: at most 200, one for each address, name and reason',
        tags: ['cameras'],
        response: v1Responses({ 200: Type.Object({ items: Type.Array(RefusedPublisherSchema) }) }),
      },
    },
    async () => ({ items: control.refusedPublishers() }),
  );
}
