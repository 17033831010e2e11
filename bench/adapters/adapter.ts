/** One camera of a run and where it must be redirected to. */
export interface CameraPlan {
  /** `cam0`, `cam1`, ...: application and stream name alike. */
  readonly name: string;
  /** `rtmp://127.0.0.1:PORT/APP/NAME`, each with an application of its own. */
  readonly targets: readonly string[];
}

/** A server that runs, and redirects. */
export interface RunningServer {
  /** The process whose CPU and memory, with those of its children, are measured; undefined: there is none. */
  readonly pid: number | undefined;
  /** Where a camera publishes. */
  publishUrl(camera: string): string;
  /** Redirects a live camera to one more target; undefined where the server cannot. */
  readonly addPush: ((camera: string, url: string) => Promise<void>) | undefined;
  /** Its last output, for the message when something fails. */
  output(): string;
  stop(): Promise<void>;
}

/** How one kind of server is started. Add a file beside this one, and a line in `index.ts`, for another. */
export interface Adapter {
  readonly name: string;
  /** Why it cannot run on this machine; undefined when it can. May install what it needs into a folder of the benchmark. */
  unavailable(): Promise<string | undefined> | string | undefined;
  /**
   * Starts it on free ports of 127.0.0.1, redirecting every camera of the plan as soon as it publishes.
   * @param folder empty, removed afterwards
   * @param variables of its environment, besides those of the benchmark
   */
  start(
    folder: string,
    cameras: readonly CameraPlan[],
    variables?: Readonly<Record<string, string>>,
  ): Promise<RunningServer>;
}
