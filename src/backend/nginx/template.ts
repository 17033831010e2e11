import { Eta } from 'eta';
import { CodedError, messageOf } from '../../errors.js';
import { quoteValue } from './quote.js';

/** One camera as the template sees it. */
export interface TemplateCamera {
  readonly name: string;
  /** The pushes that nginx can take: each the parameters of one `push`, the URL first. */
  readonly pushes: readonly { readonly parameters: readonly string[] }[];
}

/** What the template sees as `it`. Every value that `<%= %>` puts out is quoted for nginx. */
export interface TemplateFacts {
  /** The file of the dynamic RTMP module; null when it is built in. */
  readonly module: string | null;
  readonly pidFile: string;
  readonly errorLog: string;
  /** A folder that nginx may write to, with a slash at its end. */
  readonly temporaryFolder: string;
  /** Names of the `..._temp_path` directives that this nginx knows. */
  readonly temporaryPaths: readonly string[];
  /** The parameters of `listen` of RTMP. */
  readonly listen: readonly string[];
  /** `127.0.0.1:PORT` of the statistics. */
  readonly statListen: string;
  /** The path of the statistics, and that of the module's control interface: nobody else knows the latter. */
  readonly statPath: string;
  readonly controlPath: string;
  /** By name. */
  readonly cameras: readonly TemplateCamera[];
}

/**
 * The template that is used without `--nginx-template`. The comments `# camera NAME` and `# end of cameras` divide the
 * file into parts, so that edits by hand of one part outlive changes of another (see `parts.ts`).
 */
export const defaultTemplate = `# nginx.conf of the media aggregator. Cameras and pushes come from its API. Edits by hand are applied when they are
# saved; they last until what they stand in changes: between "# camera NAME" and the next such line that is the camera
# and its pushes, elsewhere the aggregator's settings. The marks at the ends of those lines tell edits, leave them as
# they are. See docs/nginx-backend.md.
<% if (it.module !== null) { %>
load_module <%= it.module %>;
<% } %>
worker_processes 1;
pid <%= it.pidFile %>;
error_log <%= it.errorLog %> warn;
# On, a reload while targets refuse pushes crashes the worker with all its cameras.
rtmp_auto_push off;

events {
    worker_connections 16384;
}

rtmp {
    # The module's own log would be opened where only root may write.
    access_log off;

    server {
        listen<% for (const word of it.listen) { %> <%= word %><% } %>;
        chunk_size 4096;

<% for (const camera of it.cameras) { %>
        # camera <%= camera.name %>

        application <%= camera.name %> {
            live on;
            record off;
<% for (const push of camera.pushes) { %>
            push<% for (const word of push.parameters) { %> <%= word %><% } %>;
<% } %>
        }

<% } %>
        # end of cameras
    }
}

http {
    access_log off;
<% for (const name of it.temporaryPaths) { %>
    <%= name %> <%= it.temporaryFolder + name %>;
<% } %>

    server {
        listen <%= it.statListen %>;

        location = <%= it.statPath %> {
            rtmp_stat all;
        }

        location <%= it.controlPath %> {
            rtmp_control all;
        }
    }
}
`;

/** A template, compiled once. */
export class Template {
  readonly #render: (facts: TemplateFacts) => string;

  /** @throws CodedError NGINX_TEMPLATE when the text is no template */
  constructor(text: string) {
    // A tag that stands alone on its line takes the line break with it.
    const eta = new Eta({ autoEscape: true, autoTrim: [false, 'nl'], escapeFunction: quoteValue, cache: false });
    try {
      const compiled = eta.compile(text);
      this.#render = (facts) => compiled.call(eta, facts);
    } catch (error) {
      throw new CodedError('NGINX_TEMPLATE', `the template of nginx.conf is not valid: ${firstLine(error)}`, {
        cause: error,
        field: '--nginx-template',
      });
    }
  }

  /** @throws CodedError NGINX_TEMPLATE when the template fails, or a value cannot stand in nginx.conf */
  render(facts: TemplateFacts): string {
    try {
      return this.#render(facts);
    } catch (error) {
      if (error instanceof CodedError) throw error;
      throw new CodedError('NGINX_TEMPLATE', `the template of nginx.conf fails: ${firstLine(error)}`, { cause: error });
    }
  }
}

function firstLine(error: unknown): string {
  return messageOf(error).split('\n', 1)[0] ?? '';
}
