// Runs the official Node SDK against a server, one call a run, and prints what it got as JSON.
// Usage: node sdk.mjs CALL JSON-ARGUMENTS JSON-OPTIONS-OF-THE-CLIENT
// (OPENAI_BASE_URL and OPENAI_API_KEY are set)
import fs from "node:fs";
import { setTimeout as passed } from "node:timers/promises";
import OpenAI, { toFile } from "openai";

const [call, parameters = "{}", clientOptions = "{}"] = process.argv.slice(2);
const { hurried = false, ...options } = JSON.parse(clientOptions);

// Every attempt as [retry count, status], and every wait before a retry, in milliseconds.
const attempts = [];
const waits = [];
const openai = new OpenAI({
  maxRetries: 0,
  fetch: async (url, request) => {
    const answer = await fetch(url, request);
    const count = new Headers(request.headers).get("x-stainless-retry-count");
    attempts.push([Number(count), answer.status]);
    return answer;
  },
  ...options,
});
if (hurried) {
  // The SDK's waits are noted, not waited for. What is longer than a minute is its time-out.
  const wait = globalThis.setTimeout;
  globalThis.setTimeout = (callback, delay, ...rest) => {
    const retrying = delay <= 60_000 && new Error().stack.includes("node_modules/openai");
    if (retrying) waits.push(delay);
    return wait(callback, retrying ? 0 : delay, ...rest);
  };
}

const calls = {
  // The seed document's example: a whole file through arrayBuffer().
  async speechFile({ path, ...parameters }) {
    const answer = await openai.audio.speech.create(parameters);
    const buffer = Buffer.from(await answer.arrayBuffer());
    await fs.promises.writeFile(path, buffer);
    return { type: answer.headers.get("content-type"), bytes: buffer.length };
  },
  // The seed document's example: createReadStream sends a chunked request without a length.
  async transcribe({ path, ...parameters }) {
    return openai.audio.transcriptions.create({ file: fs.createReadStream(path), ...parameters });
  },
  async translate({ path, ...parameters }) {
    return openai.audio.translations.create({ file: fs.createReadStream(path), ...parameters });
  },
  async transcribeBuffer({ path, name, ...parameters }) {
    const file = await toFile(await fs.promises.readFile(path), name);
    return openai.audio.transcriptions.create({ file, ...parameters });
  },
  async streamTranscription({ path, ...parameters }) {
    const stream = await openai.audio.transcriptions.create({
      file: fs.createReadStream(path),
      stream: true,
      ...parameters,
    });
    const events = [];
    for await (const event of stream) events.push(event);
    return events;
  },
  // Holds still behind the first event for as long as there is a file at `path`.
  async streamSpeech({ path, ...body }) {
    const stream = await openai.post("/audio/speech", { body, stream: true });
    let events = 0;
    for await (const event of stream) {
      if (++events > 1) continue;
      fs.writeFileSync(path, event.type);
      while (fs.existsSync(path)) await passed(10);
    }
    return events;
  },
  // Speaks until an answer had to be waited for.
  async speakUntilRefused(parameters) {
    while (!attempts.some(([, status]) => status === 429)) {
      await (await openai.audio.speech.create(parameters)).arrayBuffer();
    }
  },
  async models() {
    const ids = [];
    for await (const model of openai.models.list()) ids.push(model.id);
    return ids;
  },
  async deleteModel({ model }) {
    return openai.models.delete(model);
  },
};

try {
  const ok = (await calls[call](JSON.parse(parameters))) ?? null;
  console.log(JSON.stringify({ ok, attempts, waits }));
} catch (error) {
  console.log(
    JSON.stringify({
      attempts,
      waits,
      error: {
        class: error.constructor.name,
        status: error.status,
        code: error.code,
        param: error.param,
        type: error.type,
        message: error.message,
        requestId: error.requestID,
      },
    }),
  );
}
