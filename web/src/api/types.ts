/** What v1 answers, under the names that the dashboard uses: checked against the OpenAPI document by way of the client. */
import type { Answer } from '../../../src/client/index.js';

export type {
  Camera as CameraView,
  Config as ConfigView,
  Engine as EngineView,
  Node as NodeView,
  Push as PushView,
  RecordedEvent,
  RefusedPublisher as RefusedPublisherView,
  Session,
  TargetTest,
} from '../../../src/client/index.js';

export type PushState = Answer<'getPush'>['state'];
export type Scope = Answer<'getSession'>['scope'];
export type ClusterView = Answer<'getCluster'>;
export type NodeLink = Answer<'listNodes'>['items'][number]['links'][number];
export type TokenView = Answer<'getToken'>;
