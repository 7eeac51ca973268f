// A small application that calls OpenAI's audio API. It knows nothing of soundalike.
import { toFile } from "openai";

export async function transcribe(client, bytes, name) {
  const file = await toFile(bytes, name);
  const heard = await client.audio.transcriptions.create({ model: "whisper-1", file, language: "en" });
  return heard.text;
}

export async function* captions(client, bytes, name) {
  const file = await toFile(bytes, name);
  const events = await client.audio.transcriptions.create({ model: "gpt-4o-transcribe", file, stream: true });
  for await (const event of events) if (event.type === "transcript.text.delta") yield event.delta;
}

export async function narrate(client, input) {
  const spoken = await client.audio.speech.create({ model: "tts-1", voice: "nova", input, response_format: "wav" });
  return Buffer.from(await spoken.arrayBuffer());
}
