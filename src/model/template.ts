import { hostInUrl, quoted } from '../address/host.js';
import { maskTarget, maskUrl, parseRtmpUrl } from '../address/rtmp-url.js';
import { InputError } from '../errors.js';
import type { StreamingEngine } from './model.js';

const placeholders = ['host', 'name', 'type', 'location'] as const;
type Placeholder = (typeof placeholders)[number];

/** What a template knows of a camera. */
export interface TemplateCamera {
  readonly name: string;
  readonly type?: string | undefined;
}

/** What a template knows of an engine. */
export type TemplateEngine = Pick<StreamingEngine, 'host' | 'pushUrl' | 'playbackUrl'> & {
  location?: string | undefined;
};

/** A camera to try templates with. */
export const exampleCamera: TemplateCamera = { name: 'camera', type: 'type' };

/**
 * The template of push URLs as it may be logged and shown. One that does not name the camera has a stream name of its
 * own for all, which is then a key.
 */
export function maskTemplate(template: string): string {
  return template.includes('{name}') ? maskUrl(template) : maskTarget(template, '');
}

/**
 * The URL at which the engine takes this camera.
 * @throws InputError INVALID_ADDRESS when the template needs what the camera or the engine lacks, or gives no RTMP URL
 */
export function resolvePushUrl(engine: TemplateEngine, camera: TemplateCamera): string {
  const url = expandPushUrl(engine, camera);
  parseRtmpUrl(url, () => (engine.pushUrl.includes('{name}') ? maskUrl(url) : maskTarget(url, camera.name)));
  return url;
}

/** `resolvePushUrl`, of which nobody looks whether it is an RTMP URL. @throws InputError INVALID_ADDRESS */
export function expandPushUrl(engine: TemplateEngine, camera: TemplateCamera): string {
  return expand('pushUrl', engine.pushUrl, engine, camera);
}

/**
 * The URL at which viewers find this camera at the engine.
 * @throws InputError INVALID_ADDRESS
 */
export function resolvePlaybackUrl(engine: TemplateEngine, camera: TemplateCamera): string {
  const url = expand('playbackUrl', engine.playbackUrl, engine, camera);
  if (!/^(?:https?|rtmps?):\/\/[^/]/.test(url) || !URL.canParse(url)) {
    const message = `playbackUrl: ${quoted(maskUrl(engine.playbackUrl))} gives ${quoted(maskUrl(url))}, which is no http, https, rtmp or rtmps URL`;
    throw new InputError('INVALID_ADDRESS', message, { field: 'playbackUrl' });
  }
  return url;
}

/**
 * Checks both templates with an example camera that has a type.
 * @throws InputError INVALID_ADDRESS
 */
export function checkTemplates(engine: TemplateEngine): void {
  const field = 'pushUrl';
  try {
    resolvePushUrl(engine, exampleCamera);
  } catch (error) {
    if (!(error instanceof InputError) || error.field === field) throw error;
    const message = `${field}: ${quoted(maskTemplate(engine.pushUrl))} gives no RTMP URL: ${error.message}`;
    throw new InputError('INVALID_ADDRESS', message, { field, cause: error });
  }
  resolvePlaybackUrl(engine, exampleCamera);
}

function expand(field: string, template: string, engine: TemplateEngine, camera: TemplateCamera): string {
  const refuse = (rule: string): never => {
    throw new InputError('INVALID_ADDRESS', `${field}: ${quoted(maskTemplate(template))} ${rule}`, { field });
  };
  const expanded = template.replace(/\{([^{}]*)\}/g, (_, key: string) => {
    if (!isPlaceholder(key))
      return refuse(`has the unknown placeholder {${key}}; known are {${placeholders.join('}, {')}}`);
    const value = textOf(key, engine, camera);
    return value ?? refuse(`needs {${key}}, and ${key === 'type' ? `camera "${camera.name}"` : 'the engine'} has none`);
  });
  if (/[{}]/.test(expanded)) refuse('has a brace without its partner');
  return expanded;
}

function textOf(key: Placeholder, engine: TemplateEngine, camera: TemplateCamera): string | undefined {
  if (key === 'host') return hostInUrl(engine.host);
  const value = key === 'name' ? camera.name : key === 'type' ? camera.type : engine.location;
  return value === undefined ? undefined : encodeURIComponent(value);
}

function isPlaceholder(key: string): key is Placeholder {
  return placeholders.some((placeholder) => placeholder === key);
}
