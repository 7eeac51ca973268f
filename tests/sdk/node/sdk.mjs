// Runs the official Node SDK against a server, one call a run, and prints what it got as JSON.
// Usage: node sdk.mjs CALL JSON-ARGUMENTS   (OPENAI_BASE_URL and OPENAI_API_KEY are set)
import fs from "node:fs";
import OpenAI, { toFile } from "openai";

const openai = new OpenAI({ maxRetries: 0 });

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
  async models() {
    const ids = [];
    for await (const model of openai.models.list()) ids.push(model.id);
    return ids;
  },
};

const [call, parameters] = process.argv.slice(2);
try {
  console.log(JSON.stringify({ ok: await calls[call](JSON.parse(parameters ?? "{}")) }));
} catch (error) {
  console.log(
    JSON.stringify({
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
