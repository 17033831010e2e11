/**
 * Renders the words of Helm's templates that deploy/helm uses, where there is no Helm: if, else, range, pipes and a few
 * functions. Any other word is an error, so that a chart is not rendered as Helm would not. scripts/deploy.sh uses Helm.
 */
interface Scope {
  readonly dot: unknown;
  readonly variables: ReadonlyMap<string, unknown>;
}

type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'value'; readonly code: string }
  | { readonly kind: 'block'; readonly code: string; readonly yes: Node[]; readonly no: Node[] };

/** As Go: false, 0, nothing, and what is empty are not true. */
function isTrue(value: unknown): boolean {
  if (value === null || value === undefined) return false;
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === 'object') return Object.keys(value).length > 0;
  return Boolean(value);
}

const functions: Readonly<Record<string, (...args: never[]) => unknown>> = {
  add: (...terms: number[]) => terms.reduce((sum, term) => sum + term, 0),
  and: (...terms: unknown[]) => terms.find((term) => !isTrue(term)) ?? terms.at(-1),
  or: (...terms: unknown[]) => terms.find(isTrue) ?? terms.at(-1),
  not: (term: unknown) => !isTrue(term),
  ne: (a: unknown, b: unknown) => a !== b,
  gt: (a: number, b: number) => a > b,
  kindIs: (kind: string, value: unknown) => (typeof value === 'number' ? 'float64' : typeof value) === kind,
  len: (value: string | unknown[]) => (typeof value === 'string' ? Buffer.byteLength(value) : value.length),
  default: (instead: unknown, value: unknown) => (isTrue(value) ? value : instead),
  fail: (message: string) => {
    throw new Error(message);
  },
  hasPrefix: (prefix: string, text: string) => text.startsWith(prefix),
  printf: (format: string, ...values: unknown[]) => format.replace(/%s/g, () => String(values.shift())),
  quote: (value: unknown) => JSON.stringify(String(value)),
  regexReplaceAll: (regex: string, text: string, by: string) => text.replace(new RegExp(regex, 'gu'), by),
  replace: (from: string, to: string, text: string) => text.replaceAll(from, to),
  toJson: (value: unknown) => JSON.stringify(value),
  // A number of a file is a float64.
  toString: (value: unknown) => (typeof value === 'number' && value >= 1e6 ? value.toExponential() : String(value)),
  upper: (text: string) => text.toUpperCase(),
};

/** Text and actions, with the space taken away that `{{-` and `-}}` ask for. */
function* piecesOf(template: string): Generator<{ text: string } | { code: string }> {
  let at = 0;
  let isTrimmed = false;
  for (const found of template.matchAll(/\{\{(-?)\s*([\s\S]*?)\s*(-?)\}\}/g)) {
    const [whole, before, code = '', after] = found;
    let text = template.slice(at, found.index);
    if (isTrimmed) text = text.trimStart();
    yield { text: before === '-' ? text.trimEnd() : text };
    if (!code.startsWith('/*')) yield { code };
    isTrimmed = after === '-';
    at = found.index + whole.length;
  }
  yield { text: isTrimmed ? template.slice(at).trimStart() : template.slice(at) };
}

function parse(template: string): Node[] {
  const top: Node[] = [];
  const open: { block: Extract<Node, { kind: 'block' }>; parent: Node[] }[] = [];
  let into = top;
  for (const piece of piecesOf(template)) {
    if ('text' in piece) {
      into.push({ kind: 'text', text: piece.text });
      continue;
    }
    const { code } = piece;
    if (/^(if|range) /.test(code)) {
      const block = { kind: 'block', code, yes: [], no: [] } as const satisfies Node;
      into.push(block);
      open.push({ block, parent: into });
      into = block.yes;
    } else if (code === 'else' && open.length > 0) into = open.at(-1)!.block.no;
    else if (code === 'end' && open.length > 0) into = open.pop()!.parent;
    else into.push({ kind: 'value', code });
  }
  if (open.length > 0) throw new Error(`no end of "${open.at(-1)!.block.code}"`);
  return top;
}

function evaluate(code: string, scope: Scope): unknown {
  const tokens = code.match(/"(?:[^"\\]|\\.)*"|[()|]|[^\s()|]+/g) ?? [];
  let at = 0;
  const pipeline = (): unknown => {
    let value = command([]);
    while (tokens[at] === '|') {
      at += 1;
      value = command([value]);
    }
    return value;
  };
  const term = (token: string): unknown => {
    if (token === '(') {
      const value = pipeline();
      if (tokens[at++] !== ')') throw new Error(`no ) in "${code}"`);
      return value;
    }
    if (token.startsWith('"')) return JSON.parse(token);
    if (/^-?\d+$/.test(token)) return Number(token);
    if (scope.variables.has(token)) return scope.variables.get(token);
    if (token === '.') return scope.dot;
    if (!token.startsWith('.')) throw new Error(`"${token}" is not known here`);
    return token
      .slice(1)
      .split('.')
      .reduce<unknown>((value, key) => {
        const found: unknown = (value as Record<string, unknown>)[key];
        if (found === undefined) throw new Error(`values.yaml has no ${token}`);
        return found;
      }, scope.dot);
  };
  const command = (piped: unknown[]): unknown => {
    const first = tokens[at++] ?? '';
    const called = functions[first];
    if (called === undefined) return term(first);
    const args: unknown[] = [];
    while (at < tokens.length && tokens[at] !== '|' && tokens[at] !== ')') args.push(term(tokens[at++]!));
    return called(...([...args, ...piped] as never[]));
  };
  const value = pipeline();
  if (at < tokens.length) throw new Error(`"${tokens[at]}" is not understood in "${code}"`);
  return value;
}

function show(nodes: readonly Node[], scope: Scope): string {
  return nodes.map((node) => (node.kind === 'text' ? node.text : showOne(node, scope))).join('');
}

function showOne(node: Exclude<Node, { kind: 'text' }>, scope: Scope): string {
  if (node.kind === 'value') return String(evaluate(node.code, scope));
  const [, word, key, name, code = ''] = /^(if|range) (?:(\$\w+), (\$\w+) := )?([\s\S]*)$/.exec(node.code) ?? [];
  const value = evaluate(code, scope);
  if (!isTrue(value)) return show(node.no, scope);
  if (word === 'if') return show(node.yes, scope);
  // As Go, a map goes in the order of its keys.
  const entries: [string, unknown][] = Object.entries(value as object);
  if (!Array.isArray(value)) entries.sort(([a], [b]) => (a < b ? -1 : 1));
  const each = ([at, dot]: [string, unknown]): string => {
    const variables = new Map(scope.variables);
    if (key !== undefined && name !== undefined) variables.set(key, at).set(name, dot);
    return show(node.yes, { dot: key === undefined ? dot : scope.dot, variables });
  };
  return entries.map(each).join('');
}

/** @param dot what a template calls `.`: Values and Release */
export function renderTemplate(template: string, dot: Readonly<Record<string, unknown>>): string {
  return show(parse(template), { dot, variables: new Map([['$', dot]]) });
}
