// Cases with a name and a deadline, run one after another: one line for each, then a summary.
import process from "node:process";
import {setTimeout as timer} from "node:timers/promises";

/** Less than what a server gives clients to CONNECT and to log in: what ends a session must not have been that. */
const DEADLINE_MS = 8_000;

/** What a case opened; all of it is closed when the case ends, however that is. */
class Case {
  #closers = [];

  /** `close` must end whatever still waits on the thing. */
  owns(close) {
    this.#closers.push(close);
  }

  end() {
    for (const close of this.#closers.reverse()) close();
  }
}

export class Suite {
  #cases = [];

  /** `run(t)` is asynchronous and throws if the behaviour is not there. */
  add(name, run, {belfryOnly = false, deadlineMs = DEADLINE_MS} = {}) {
    if (this.#cases.some((other) => other.name === name)) throw new Error(`two cases are called: ${name}`);
    this.#cases.push({name, run, belfryOnly, deadlineMs});
  }

  /** Something that the Node server does otherwise. */
  belfry(name, run, options) {
    this.add(name, run, {...options, belfryOnly: true});
  }

  /** The exit code: 0 when at least one case ran and all that ran passed. */
  async run({only = "", stock = false}) {
    const chosen = this.#cases.filter(({name}) => name.includes(only));
    const counts = {passed: 0, failed: 0, skipped: 0};
    for (const [i, one] of chosen.entries()) {
      if (stock && one.belfryOnly) {
        ++counts.skipped;
        console.log(`ok ${i + 1} ${one.name} # skipped: belfry only`);
        continue;
      }
      const problem = await failureOf(one);
      ++counts[problem ? "failed" : "passed"];
      console.log(`${problem ? "not ok" : "ok"} ${i + 1} ${one.name}`);
      if (problem) console.log(problem.replace(/^/gmu, "    "));
    }
    console.log(`${chosen.length} cases: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
    return counts.failed === 0 && counts.passed > 0 ? 0 : 1;
  }
}

async function failureOf({run, deadlineMs}) {
  const t = new Case();
  const waiting = new AbortController();
  const late = timer(deadlineMs, undefined, {signal: waiting.signal}).then(() => {
    throw new Error(`not done after ${deadlineMs} ms`);
  });
  late.catch(() => {});
  try {
    await Promise.race([run(t), late]);
    return undefined;
  } catch (error) {
    return error.stack ?? String(error);
  } finally {
    waiting.abort();
    t.end();
  }
}

/** `times`: the ping interval and the ping timeout of the server, in milliseconds. */
export function parseArguments(argv = process.argv.slice(2)) {
  const found = {base: undefined, only: "", times: [300, 200], stock: false};
  for (let i = 0; i < argv.length; ++i) {
    if (argv[i] === "--stock") found.stock = true;
    else if (argv[i] === "--only" && i + 1 < argv.length) found.only = argv[++i];
    else if (argv[i] === "--times" && i + 1 < argv.length) found.times = argv[++i].split(",").map(Number);
    else if (!argv[i].startsWith("-") && found.base === undefined) found.base = argv[i];
    else return usage();
  }
  return found.base === undefined ? usage() : found;
}

function usage() {
  console.error("usage: <base-url> [--only <substring>] [--times <ms>,<ms>] [--stock]");
  process.exit(2);
}
