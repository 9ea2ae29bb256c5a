// One line per step with its time. In a terminal the open steps are redrawn; in a pipe each is written once, when it
// ends.
const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

const seconds = (since) => `${((Date.now() - since) / 1000).toFixed(1)} s`;

/**
 * `step(title, work)` shows the step while work runs and answers what it answers; work is given `say(text)`, for what
 * is going on. `note(text)` writes a line that stays. `quiet` shows nothing.
 */
export function createProgress({ stream = process.stdout, quiet = false } = {}) {
  const live = !quiet && stream.isTTY === true && process.env.TERM !== 'dumb';
  const colour = live && !process.env.NO_COLOR;
  const paint = (code, text) => (colour ? `\x1b[${code}m${text}\x1b[0m` : text);
  const open = [];
  let drawn = 0;
  let timer;

  const erase = () => {
    if (drawn > 0) stream.write(`\x1b[${drawn}A\x1b[0J`);
    drawn = 0;
  };
  const draw = () => {
    const frame = FRAMES[Math.floor(Date.now() / 100) % FRAMES.length];
    const width = (stream.columns ?? 80) - 1;
    for (const { title, text, since } of open) {
      const line = `${frame} ${title.padEnd(16)} ${seconds(since).padStart(7)}  ${text}`.slice(0, width);
      stream.write(`${line}\n`);
    }
    drawn = open.length;
  };
  const write = (line) => {
    if (quiet) return;
    if (live) erase();
    stream.write(`${line}\n`);
    if (live) draw();
  };

  return {
    note: write,
    async step(title, work) {
      const entry = { title, text: '', since: Date.now() };
      open.push(entry);
      if (live) timer ??= setInterval(() => (erase(), draw()), 100).unref();
      const finish = (mark, text) => {
        open.splice(open.indexOf(entry), 1);
        write(`${mark} ${title.padEnd(16)} ${seconds(entry.since).padStart(7)}${text ? `  ${text}` : ''}`);
        if (open.length === 0) {
          clearInterval(timer);
          timer = undefined;
        }
      };
      try {
        const result = await work((text) => (entry.text = text));
        finish(paint(32, '✔'), entry.text);
        return result;
      } catch (error) {
        finish(paint(31, '✘'), 'failed');
        throw error;
      }
    },
  };
}
