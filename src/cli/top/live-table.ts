import { messageOf } from '../../errors.js';
import type { Terminal } from '../io.js';
import type { CameraView } from '../views.js';
import { sortKeys, topRows } from './rows.js';
import { renderScreen, visibleRows } from './screen.js';

export interface TopData {
  readonly summary: string;
  readonly cameras: readonly CameraView[];
  /** What is wrong with the node: `STATE_WRITE_FAILED: ...`. */
  readonly problems: readonly string[];
}

const enterScreen = '\u001b[?1049h\u001b[?25l';
const leaveScreen = '\u001b[?25h\u001b[?1049l';
const home = '\u001b[H';
const clearToLineEnd = '\u001b[K';
const styles = { good: '32', bad: '31', idle: '2', head: '1' } as const;
const filterMaxLength = 64;

/** The line above the table: what is wrong with the node goes before its totals. */
function summaryOf({ summary, problems }: TopData): string {
  const [first] = problems;
  if (first === undefined) return summary;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  return `PROBLEM ${first}${more}  ${summary}`;
}

/** Shows the table in the terminal until `q`; looks again every `everyMs`. */
export async function runLiveTable(options: {
  terminal: Terminal;
  load: () => Promise<TopData>;
  everyMs: number;
  hasColors: boolean;
}): Promise<void> {
  const { terminal, load, everyMs, hasColors } = options;
  let data: TopData = { summary: 'loading ...', cameras: [], problems: [] };
  let sort = 0;
  let filter = '';
  let isTyping = false;
  let offset = 0;

  const draw = (): void => {
    const size = { width: terminal.columns(), height: terminal.rows() };
    const rows = topRows(data.cameras, { sort: sortKeys[sort] ?? 'name', filter });
    offset = Math.max(0, Math.min(offset, rows.length - visibleRows(size.height)));
    const state = { summary: summaryOf(data), rows, offset, sort: sortKeys[sort] ?? 'name', filter, isTyping };
    const lines = renderScreen(state, size, (mood, text) =>
      hasColors ? `\u001b[${styles[mood]}m${text}\u001b[0m` : text,
    );
    terminal.write(home + lines.map((line) => line + clearToLineEnd).join('\r\n'));
  };
  const type = (key: string): void => {
    if (key === '\r' || key === '\n') isTyping = false;
    else if (key === '\u001b') [isTyping, filter] = [false, ''];
    else if (key === '\u007f' || key === '\b') filter = filter.slice(0, -1);
    else if (/^[\x20-\x7e]+$/.test(key)) filter = (filter + key).slice(0, filterMaxLength);
  };

  terminal.write(enterScreen);
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  const look = async (): Promise<void> => {
    try {
      data = await load();
    } catch (error) {
      data = { ...data, summary: messageOf(error) };
    }
    if (isOver) return;
    draw();
    timer = setTimeout(() => void look(), everyMs);
  };
  const done = new Promise<void>((resolve) => {
    const stop = terminal.start((key) => {
      const page = visibleRows(terminal.rows());
      if (key === '\u0003' || (!isTyping && key === 'q')) {
        stop();
        resolve();
        return;
      }
      if (isTyping) type(key);
      else if (key === 's') sort = (sort + 1) % sortKeys.length;
      else if (key === '/') isTyping = true;
      else if (key === '\u001b') filter = '';
      else if (key === '\u001b[A' || key === 'k') offset -= 1;
      else if (key === '\u001b[B' || key === 'j') offset += 1;
      else if (key === '\u001b[5~') offset -= page;
      else if (key === '\u001b[6~' || key === ' ') offset += page;
      draw();
    }, draw);
  });
  void look();
  await done;
  isOver = true;
  clearTimeout(timer);
  terminal.write(leaveScreen);
}
