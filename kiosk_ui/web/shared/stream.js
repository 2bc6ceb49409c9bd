// One endless answer of the daemon, a JSON object a line. A blank line is its pulse. Reconnects for ever.

const FIRST_WAIT_MS = 300;
const LONGEST_WAIT_MS = 5000;
const PULSE_LIMIT_MS = 6500; // the daemon's pulse comes every 5 s

/** Headers that say who is asking; the token arrives in the page's own address. */
export function credentials() {
  const token = new URLSearchParams(location.search).get("token");
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/** Follow a stream: `hear(object)` for each line, `pulse()` whenever anything came, `broke()` when the line ended,
 * `answered(headers)` when it is made anew. */
export async function follow(path, { hear, pulse = () => {}, broke = () => {}, answered = () => {} }) {
  let waitMs = FIRST_WAIT_MS;
  for (;;) {
    try {
      await listen(path, hear, answered, () => {
        waitMs = FIRST_WAIT_MS;
        pulse();
      });
    } catch (error) {
      console.info(`stream ${path}: ${error.message}`);
    }
    broke();
    await pause(waitMs * (0.75 + Math.random() / 2));
    waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS);
  }
}

async function listen(path, hear, answered, pulse) {
  const abort = new AbortController();
  let watchdog = 0;
  const alive = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => abort.abort(new Error("silent")), PULSE_LIMIT_MS);
  };
  alive();
  try {
    const answer = await fetch(path, { headers: credentials(), signal: abort.signal, cache: "no-store" });
    if (!answer.ok) throw new Error(`answered ${answer.status}`);
    answered(answer.headers);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      alive();
      pulse();
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines) if (line.trim()) hear(JSON.parse(line));
    }
  } finally {
    clearTimeout(watchdog);
    abort.abort();
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
