// The stream of changes, read while the tab is seen; a lost one is tried again.

import { listen } from "./api.js";

const AGAIN_MS = [1_000, 2_000, 5_000, 15_000];
const SILENCE_MS = 45_000; // the desk says something every 15 s

/** Call `changed` with what each message says, and `told` with `live`, `lost` or `held`. */
export function follow(changed, told) {
  let stop = null;
  let tries = 0;
  let held = false;

  function begin() {
    if (stop || held || document.hidden) return;
    const control = new AbortController();
    stop = control;
    read(control).then(
      () => ended(control),
      () => ended(control),
    );
  }

  function end() {
    stop?.abort();
    stop = null;
  }

  function ended(control) {
    if (stop !== control) return; // it was meant
    stop = null;
    told("lost");
    setTimeout(begin, AGAIN_MS[Math.min(tries++, AGAIN_MS.length - 1)]);
  }

  async function read(control) {
    const answer = await listen(control.signal);
    told("live");
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    let timer = null;
    try {
      for (;;) {
        clearTimeout(timer);
        timer = setTimeout(() => control.abort(), SILENCE_MS);
        const { value, done } = await reader.read();
        if (done) return;
        tries = 0;
        text += value;
        const messages = text.split(/\r?\n\r?\n/);
        text = messages.pop();
        messages.map(dataOf).filter(Boolean).forEach(changed);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) end();
    else if (!held) {
      changed({}); // what was missed
      begin();
    }
  });
  begin();
  return {
    hold(wanted) {
      held = wanted;
      if (held) {
        end();
        told("held");
      } else {
        changed({});
        begin();
      }
    },
  };
}

function dataOf(message) {
  const lines = message.split(/\r?\n/).filter((line) => line.startsWith("data:"));
  if (!lines.length) return null;
  try {
    return JSON.parse(lines.map((line) => line.slice(5).trim()).join("\n"));
  } catch {
    return null;
  }
}
