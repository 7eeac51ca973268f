// soundalike from Node: a server for a test file, a scope for each test. Copy it into your project;
// it needs Node 20 and soundalike (`pip install soundalike`): on PATH, where SOUNDALIKE_COMMAND says,
// or running at the URL in SOUNDALIKE_URL.
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";

/** Starts `soundalike serve` on a free port. Resolves to its URL and a function that ends it. */
export async function startServer(command = process.env.SOUNDALIKE_COMMAND ?? "soundalike") {
  if (process.env.SOUNDALIKE_URL) return { url: process.env.SOUNDALIKE_URL, stop: async () => {} };
  const flags = ["serve", "--engine", "stub", "--host", "127.0.0.1", "--port", "0", "--log-level", "warning"];
  const child = spawn(command, flags, { stdio: ["ignore", "pipe", "inherit"] });
  const exited = new Promise((resolve) => child.once("exit", resolve));
  const stop = async () => {
    child.kill();
    await exited;
  };
  const url = await new Promise((resolve, reject) => {
    child.once("error", ({ code }) => reject(new Error(
      `cannot start ${command} (${code}): pip install soundalike and have it on PATH, ` +
        "say where it lies by SOUNDALIKE_COMMAND, or name a running server by SOUNDALIKE_URL",
    )));
    child.once("exit", () => reject(new Error(`${command} ended before it was ready`)));
    createInterface({ input: child.stdout }).on("line", (line) => {
      const found = line.match(/(http:\/\/\S+)\/v1/);
      if (found) resolve(found[1]);
    });
  });
  return { url, stop };
}

/** What one test prepares, and what it was asked. */
export class Scope {
  /** `headers`: what a server with keys or a token asks for, such as `{ authorization: "Bearer ..." }`. */
  constructor(serverUrl, name = randomUUID(), headers = {}) {
    this.headers = headers;
    this.name = name;
    this.root = `${serverUrl}/s/${name}`;
    this.server = serverUrl;
    this.baseURL = `${this.root}/v1`;
  }

  /** An answer: `stub("transcriptions", { text: "hello" }, { language: "en" })`. */
  stub(endpoint, answers, match = {}) {
    return this.#call("POST", "stubs", { endpoint, answers: [answers].flat(), match });
  }

  /** A failure: `fault("status", { status: 429, times: 2 })`. */
  fault(kind, options = {}) {
    return this.#call("POST", "faults", { kind, ...options });
  }

  /** The requests so far that meet the conditions. */
  async requests(match = {}) {
    return (await this.#call("GET", `requests?${new URLSearchParams(match)}`)).requests;
  }

  /** Throws, with what came nearest, unless there were requests as expected. */
  verify(match, expected = {}) {
    return this.#call("POST", "verify", { match, ...expected });
  }

  async close() {
    await fetch(`${this.server}/_soundalike/scopes/${this.name}`, { method: "DELETE", headers: this.headers });
  }

  async #call(method, path, body) {
    const response = await fetch(`${this.root}/_soundalike/${path}`, {
      method,
      headers: { "content-type": "application/json", ...this.headers },
      body: body && JSON.stringify(body),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error.message);
    return answer;
  }
}
