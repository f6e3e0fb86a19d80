import { Screen } from "/web/screen.js";
import { Timeline } from "/web/timeline.js";
import { bytesOf } from "/web/keys.js";

const $ = id => document.getElementById(id);
const screen = new Screen($("screen"));
let socket = null, pod = null, position = null, connection = 0, wanted = null;

// --- The fleet

const marks = { running: "●", starting: "○", exited: "■", ended: "■", crashed: "✕", lost: "✕" };

async function fleet() {
  try {
    const response = await fetch("/v1/pods?limit=200");
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error.message);
    const list = answer.pods.map(entry => {
      const item = document.createElement("li"), button = document.createElement("button");
      const part = (name, text) => Object.assign(document.createElement("span"), { className: name, textContent: text });
      const waits = entry.status?.status === "waiting";
      button.append(
        part("mark " + (waits ? "waiting" : entry.lifecycle), waits ? "▲" : marks[entry.lifecycle] ?? "◇"), part("name", entry.name),
        part("about", [entry.status && entry.status.status !== "unknown" ? entry.status.status : entry.lifecycle, ended(entry)].filter(Boolean).join(" · ")));
      if (entry.pod === pod?.pod) button.setAttribute("aria-current", "true");
      button.addEventListener("click", () => choose(entry));
      item.append(button);
      return item;
    });
    $("pods").replaceChildren(...list);
    $("fleet-note").textContent = list.length ? "" : "No pods yet. Start one: switchback run -- bash";
    if (!pod && location.hash) {
      const entry = answer.pods.find(entry => "#" + entry.pod === location.hash || "#" + entry.name === decodeURIComponent(location.hash));
      if (entry) choose(entry);
    }
  } catch (error) {
    $("fleet-note").textContent = error.message || "The server does not answer.";
  }
}

function ended(entry) {
  const exit = entry.exit;
  if (!exit) return "";
  return exit.code != null ? `exit ${exit.code}` : exit.signal != null ? `signal ${exit.signal}` : "end not seen";
}

// --- One pod

function choose(entry) {
  pod = entry;
  location.hash = entry.pod;
  $("pod-name").textContent = entry.name;
  $("pod-state").textContent = [entry.pod, entry.spec.command.join(" ")].join("  ");
  $("transport").hidden = false;
  say("");
  $("writer").textContent = "";
  screen.clear();
  timeline.reset();
  open();
  fleet();
  $("stage").focus();
}

function open() {
  const mine = ++connection;
  socket?.close();
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/v1/pods/${pod.pod}/terminal`);
  socket.binaryType = "arraybuffer";
  const decoder = new TextDecoder();
  socket.onopen = () => send({ type: "timeline" });
  socket.onmessage = event => { if (mine === connection) receive(JSON.parse(typeof event.data === "string" ? event.data : decoder.decode(event.data))); };
  socket.onclose = event => {
    if (mine !== connection) return;
    if (event.code === 4404) return say(event.reason || "This pod is not here any more.", true);
    say("The connection broke; trying again …", true);
    setTimeout(() => { if (mine === connection) open(); }, 1000);
  };
}

const send = message => { if (socket?.readyState === 1) socket.send(JSON.stringify(message)); };

function receive(message) {
  switch (message.type) {
    case "keyframe":
    case "delta":
      if (!screen.apply(message)) return send({ type: "keyframe" });
      if (message.type === "keyframe") $("message").className.includes("bad") && say("");
      show(Date.parse(message.time));
      break;
    case "position":
      position = message;
      if (message.first && message.last) timeline.bounds(Date.parse(message.first), Date.parse(message.last));
      show(Date.parse(message.time));
      break;
    case "timeline": timeline.load(message); break;
    case "writer": $("writer").textContent = message.writer.you ? "You write" : `${message.writer.author} writes`; break;
    case "exit": say("The pod has ended."); break;
    case "error": refused(message.error); break;
  }
}

function refused(error) {
  say(error.message, true);
  if (error.code !== "busy") return;
  const button = Object.assign(document.createElement("button"), { textContent: "Take over" });
  button.addEventListener("click", () => { send({ type: "take" }); say(""); $("stage").focus(); });
  $("message").append(" ", button);
}

function say(text, isBad = false) {
  $("message").textContent = text;
  $("message").className = isBad ? "note bad" : "note";
}

function show(time) {
  const mode = position?.mode ?? "live";
  if (mode === "live") timeline.bounds(time, Math.max(time, Date.now()));
  timeline.move(mode === "live" ? timeline.last : time);
  $("live").setAttribute("aria-pressed", String(mode === "live"));
  $("play").textContent = mode === "paused" ? "Play" : "Pause";
  $("screen").classList.toggle("past", mode !== "live");
  const since = Math.max(0, Math.round((time - (timeline.first ?? time)) / 1000));
  const pad = number => String(number).padStart(2, "0");
  $("clock").textContent = `${new Date(time).toLocaleTimeString()}  +${Math.floor(since / 3600)}:${pad(Math.floor(since / 60) % 60)}:${pad(since % 60)}`;
}

// --- Moving through time

let seeking = null;
const timeline = new Timeline($("timeline"), time => {
  // One seek a frame: the newest place counts.
  if (seeking == null) requestAnimationFrame(() => {
    send({ type: "seek", time: new Date(Math.min(seeking, Date.now())).toISOString() });
    seeking = null;
  });
  seeking = time;
  timeline.move(time);
});

function toggle() {
  if (position?.mode === "playing") return send({ type: "pause" });
  if (position?.mode === "live") return send({ type: "pause" });
  send({ type: "play", rate: Number($("rate").value), idle_limit: 2 });
}

$("play").addEventListener("click", toggle);
$("back").addEventListener("click", () => send({ type: "step", frames: -1 }));
$("forward").addEventListener("click", () => send({ type: "step", frames: 1 }));
$("live").addEventListener("click", () => { send({ type: "live" }); $("stage").focus(); });
$("rate").addEventListener("change", () => { if (position?.mode === "playing") toggle(), toggle(); });
setInterval(() => send({ type: "timeline" }), 5000);
setInterval(fleet, 2000);
fleet();

// --- Keys: typing when live, moving when in the past

$("stage").addEventListener("keydown", event => {
  if (!pod) return;
  if (position?.mode !== "live") return moveByKey(event);
  const text = bytesOf(event, screen.modes);
  if (text == null || (event.ctrlKey && event.shiftKey)) return;
  event.preventDefault();
  send({ type: "input", text });
});
$("timeline").addEventListener("keydown", moveByKey);

function moveByKey(event) {
  const moves = {
    " ": toggle, ArrowLeft: () => send({ type: "step", frames: event.shiftKey ? -10 : -1 }),
    ArrowRight: () => send({ type: "step", frames: event.shiftKey ? 10 : 1 }), l: () => send({ type: "live" }), L: () => send({ type: "live" }),
  };
  if (!moves[event.key] || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  moves[event.key]();
}

$("stage").addEventListener("paste", event => {
  const text = event.clipboardData?.getData("text");
  if (!text || position?.mode !== "live") return;
  event.preventDefault();
  send({ type: "input", text, paste: true });
});
