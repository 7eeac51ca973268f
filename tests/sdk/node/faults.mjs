// Has the official Node SDK meet faults, each in a scope of its own, and prints what
// became of every request as JSON: [outcome, requests sent].
// Usage: node faults.mjs JSON, with root (URL), path (of a recording), timeout (ms) and rows, which
// are [scope, fault, request].
import fs from "node:fs";
import { setTimeout as passed } from "node:timers/promises";
import OpenAI, { toFile } from "openai";

const { root, path, timeout, rows } = JSON.parse(process.argv[2]);
const recording = await fs.promises.readFile(path);
const name = "recording.wav";

const requests = {
  async transcription(openai) {
    const file = await toFile(recording, name);
    const answer = await openai.audio.transcriptions.create({ file, model: "whisper-1" });
    return typeof answer === "string" ? { string: JSON.parse(answer).text } : answer.text;
  },
  // Never tried again: what was read from a stream cannot be sent twice.
  async streamedTranscription(openai) {
    const file = fs.createReadStream(path);
    return (await openai.audio.transcriptions.create({ file, model: "whisper-1" })).text;
  },
  async speech(openai) {
    const answer = await openai.audio.speech.create({
      model: "tts-1",
      voice: "alloy",
      input: "Hello.",
      response_format: "wav",
    });
    return Buffer.from(await answer.arrayBuffer()).toString("base64");
  },
  async stream(openai) {
    const file = await toFile(recording, name);
    const model = "gpt-4o-transcribe";
    const events = [];
    for await (const event of await openai.audio.transcriptions.create({
      file,
      model,
      stream: true,
    })) {
      events.push(event);
    }
    return events;
  },
};

async function meet([scope, fault, request]) {
  let sent = 0;
  const openai = new OpenAI({
    baseURL: `${root}/s/${scope}/v1`,
    apiKey: "sk-test",
    timeout,
    defaultHeaders: fault ? { "X-Soundalike-Fault": fault } : {},
    fetch: (url, init) => {
      sent += String(url).startsWith("http"); // the SDK also tries fetch on a data: URL
      return fetch(url, init);
    },
  });
  const pending = passed(6 * timeout, { pending: true }, { ref: false });
  const answer = requests[request](openai).then(
    (value) => ({ value }),
    (error) => ({ error: error.constructor.name }),
  );
  return [await Promise.race([answer, pending]), sent];
}

// Eight at a time: many more, and answers would come late because of one another.
const waiting = [...rows.entries()];
const met = [];
async function meetNext() {
  for (let next = waiting.shift(); next; next = waiting.shift()) met[next[0]] = await meet(next[1]);
}
await Promise.all(Array.from({ length: 8 }, meetNext));
process.stdout.write(JSON.stringify(met), () => process.exit(0)); // what is pending stays so
