// Plays a job's stream while it is made: HLS with fragmented MP4, by Media Source Extensions.

import { fetchWithKey } from "/web/key.js";

const POLL = 700;
const NOT_YET = 409;

// Appends segments to the video element until the stream ends. Returns whether anything was shown.
export async function play(video, path, signal) {
  if (!("MediaSource" in window)) return false;
  const master = await begun(path, signal);
  if (!master) return false;
  const codecs = /CODECS="([^"]+)"/.exec(master.text)[1];
  const playlist = new URL(lines(master.text)[0], master.url);
  const buffer = await open(video, `video/mp4; codecs="${codecs}"`);
  const appended = new Set();
  while (!signal.aborted) {
    const text = await (await request(playlist, signal)).text();
    for (const name of [/URI="([^"]+)"/.exec(text)[1], ...lines(text)]) {
      if (appended.has(name)) continue;
      await append(buffer, await (await request(new URL(name, playlist), signal)).arrayBuffer());
      appended.add(name);
      if (appended.size === 2) start(video, buffer);
    }
    if (text.includes("#EXT-X-ENDLIST")) break;
    await wait(POLL);
  }
  if (buffer.source.readyState === "open") buffer.source.endOfStream();
  return true;
}

// Returns the master playlist as soon as there is one, or null if there never will be.
async function begun(path, signal) {
  while (!signal.aborted) {
    const answer = await request(`${path}?wait=60`, signal);
    if (answer.ok) return { url: answer.url, text: await answer.text() };
    if (answer.status !== NOT_YET) return null;
    await wait(POLL);
  }
  return null;
}

// The content security policy only allows the page's own origin: no redirects to the object store.
const request = (url, signal) => {
  const address = new URL(url, location.href);
  if (!address.pathname.endsWith("/stream")) address.searchParams.set("redirect", "false");
  return fetchWithKey(address, { signal });
};

async function open(video, type) {
  const source = new MediaSource();
  video.src = URL.createObjectURL(source);
  await new Promise((opened) => source.addEventListener("sourceopen", opened, { once: true }));
  URL.revokeObjectURL(video.src);
  return { source, buffer: source.addSourceBuffer(type) };
}

function append({ buffer }, bytes) {
  return new Promise((resolve, reject) => {
    buffer.addEventListener("updateend", resolve, { once: true });
    buffer.addEventListener("error", () => reject(new Error("A segment cannot be played.")), { once: true });
    buffer.appendBuffer(bytes);
  });
}

// The first frame lies a little after zero, because the encoder reorders frames.
function start(video, { buffer }) {
  if (buffer.buffered.length) video.currentTime = buffer.buffered.start(0);
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (!isCalm) video.play().catch(() => {}); // browsers may wait for a click
}

const lines = (text) => text.split("\n").filter((line) => line && !line.startsWith("#"));
const wait = (time) => new Promise((done) => setTimeout(done, time));
