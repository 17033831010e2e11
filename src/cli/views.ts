import type { Config } from '../client/index.js';

/** What v1 shows, by the names of the commands. */
export type {
  BatchResult as BatchResultView,
  Camera as CameraView,
  ChangeResult as ChangeResultView,
  Cluster as ClusterView,
  DebuggedCamera as DebuggedCameraView,
  DevicePicture as DevicePictureView,
  DiscoveryScan as ScanView,
  Engine as EngineView,
  FoundDevice as FoundDeviceView,
  Log as LogView,
  LogLine as LogLineView,
  LogLines as LogLinesView,
  MadeToken as MadeTokenView,
  Node as NodeView,
  PlayToken as PlayTokenView,
  Push as PushView,
  RecordedEvent as RecordedEventView,
  RefusedPublisher as RefusedPublisherView,
  TargetTest as TargetTestView,
  Token as TokenView,
} from '../client/index.js';

/** Something that is wrong with the state, and since when. */
export type ProblemView = Config['problems'][number];
