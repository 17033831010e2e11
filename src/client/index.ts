/** A typed client of the API v1: `import { Client } from 'media-aggregator/client'`. For Node.js and for browsers. */
export {
  type Answer,
  ApiProblem,
  type CallOptions,
  Client,
  type ClientOptions,
  type Input,
  NoAnswer,
  type OperationId,
  type Reply,
} from './client.js';
export type * from './operations.js';
