import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import OpenAI from "openai";

import { captions, narrate, transcribe } from "./my-app.mjs";
import { Scope, startServer } from "./soundalike.mjs";

// Outside of the tests, so that they do not begin without a server.
const server = await startServer();
after(() => server.stop());

describe("my app", () => {
  let soundalike, client, recording;

  before(async () => {
    const speaker = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "sk-test" });
    recording = await narrate(speaker, "Something to upload.");
  });

  beforeEach(() => {
    soundalike = new Scope(server.url);
    client = new OpenAI({ baseURL: soundalike.baseURL, apiKey: "sk-test" });
  });
  afterEach(() => soundalike.close());

  test("a busy service is asked again", async () => {
    await soundalike.stub("transcriptions", { text: "hello world" }, { file_name: "*.wav", language: "en" });
    await soundalike.fault("status", { status: 429, retry_after_ms: 5, times: 2 });
    assert.equal(await transcribe(client, recording, "hi.wav"), "hello world");
    const requests = await soundalike.requests({ endpoint: "transcriptions" });
    assert.deepEqual(requests.map((request) => request.status), [429, 429, 200]);
    assert.equal(requests.at(-1).file.name, "hi.wav");
    assert.match(requests.at(-1).sdk, /^openai-node/);
  });

  test("captions come in pieces", async () => {
    await soundalike.stub("transcriptions", { text: "One, two, three." });
    const pieces = [];
    for await (const piece of captions(client, recording, "hi.wav")) pieces.push(piece);
    assert.ok(pieces.length > 1);
    assert.equal(pieces.join(""), "One, two, three.");
  });

  test("what is spoken is heard again", async () => {
    const audio = await narrate(client, "Once upon a time.");
    assert.equal(await transcribe(client, audio, "tale.wav"), "Once upon a time.");
    await soundalike.verify({ endpoint: "speech", voice: "nova" }, { count: 1 });
    await assert.rejects(soundalike.verify({ endpoint: "speech", voice: "alloy" }), /voice: wanted 'alloy'/);
  });
});
